// Calls methods of the npm package `supervisord`, one after the other.
// argv: where to connect to, and a JSON array of [name, argument...]; writes JSON lines.
'use strict';

const client = require('supervisord').connect(process.argv[2]);
const calls = JSON.parse(process.argv[3]);

function next() {
  const call = calls.shift();
  if (call === undefined) {
    return;
  }
  const [name, ...args] = call;
  client[name](...args, (error, value) => {
    const fault = error && [error.faultCode, error.faultString, error.res && error.res.statusCode];
    console.log(JSON.stringify(error ? { fault } : { value }));
    next();
  });
}

next();
