# Completion of supervisorctl for fish: ~/.config/fish/completions/supervisorctl.fish
# `supervisorctl complete` knows actions, flags, and the names that the daemon has right now.

function __supervisorctl_complete
    set -l options
    set -l following
    set -l before
    for word in (commandline -opc)[2..]
        if set -q following[1]
            set -a following $word
            continue
        end
        switch "$before"
            case -c --configuration -s --serverurl -u --username -p --password
                set -a options $before $word
                set before
            case '*'
                set before $word
                string match -q -- '-*' $word; or set following $word
        end
    end
    supervisorctl $options complete --word=(commandline -ct) $following 2>/dev/null </dev/null
end

complete -c supervisorctl -f
complete -c supervisorctl -s c -l configuration -r -F -d "configuration file"
complete -c supervisorctl -s s -l serverurl -x -d "URL of the daemon"
complete -c supervisorctl -s u -l username -x -d name
complete -c supervisorctl -s p -l password -x -d password
complete -c supervisorctl -s i -l interactive -d "begin a shell"
complete -c supervisorctl -a "(__supervisorctl_complete)"
