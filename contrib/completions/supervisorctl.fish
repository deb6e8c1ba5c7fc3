# Completion of supervisorctl for fish: ~/.config/fish/completions/supervisorctl.fish

set -l actions add avail clear exit explain fg graph health help maintail open pid quit reload remove \
    reopen reread restart rotate shutdown signal start status stop tail update version
set -l named start stop restart status tail clear fg pid signal explain graph rotate reopen

# The options of the line that choose a daemon, with their values.
function __supervisorctl_options
    set -l before
    for word in (commandline -opc)
        switch "$before"
            case -c --configuration -s --serverurl -u --username -p --password
                printf '%s\n' $before $word
        end
        set before $word
    end
end

function __supervisorctl_names
    supervisorctl (__supervisorctl_options) status 2>/dev/null </dev/null | LC_ALL=C awk '
    # Names come from a server: without control characters and marks of direction.
    $1 ~ /[\001-\037\177]|\302[\200-\237]|\342\200[\216\217\252-\256]|\342\201[\246-\251]/ { next }
    $2 ~ /^[A-Z]+$/ {
        print $1 "\t" $2
        if (split($1, part, ":") > 1 && !(part[1] in seen)) { seen[part[1]]; print part[1] ":*" }
    }'
end

complete -c supervisorctl -f
complete -c supervisorctl -s c -l configuration -r -F -d "configuration file"
complete -c supervisorctl -s s -l serverurl -x -d "URL of the daemon"
complete -c supervisorctl -s u -l username -x -d name
complete -c supervisorctl -s p -l password -x -d password
complete -c supervisorctl -s i -l interactive -d "begin a shell"
complete -c supervisorctl -n "not __fish_seen_subcommand_from $actions" -a "$actions"
complete -c supervisorctl -n "__fish_seen_subcommand_from start" -l no-deps \
    -d "start without dependencies"
complete -c supervisorctl -n "__fish_seen_subcommand_from stop restart" -l with-dependents \
    -d "with the processes that depend on it"
complete -c supervisorctl -n "__fish_seen_subcommand_from graph" -l format -x \
    -a "text mermaid json"
complete -c supervisorctl -n "__fish_seen_subcommand_from $named" -a "(__supervisorctl_names) all"
