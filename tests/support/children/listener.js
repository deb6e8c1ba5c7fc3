// An event listener made with npm's supervisord-eventlistener: prints what it gets to stderr.
const listener = require("supervisord-eventlistener");
listener.on("event", (type, headers, data) => {
  console.error(`${type} ${headers.pool} ${JSON.stringify(data)}`);
});
listener.listen(process.stdin, process.stdout);
