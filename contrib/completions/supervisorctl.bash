# Completion of supervisorctl for bash: /usr/share/bash-completion/completions/supervisorctl
# Actions, and the names of the processes that the daemon knows right now.

_supervisorctl_options() {
    local word before=
    for word in "${COMP_WORDS[@]:1}"; do
        case $before in
        -c | --configuration | -s | --serverurl | -u | --username | -p | --password)
            printf '%s\n' "$before" "$word"
            ;;
        esac
        before=$word
    done
}

_supervisorctl() {
    local current=${COMP_WORDS[COMP_CWORD]} action= word before= options
    local actions="add avail clear exit fg help maintail open pid quit reload remove reread restart
        shutdown signal start status stop tail update version"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $before in
        -c | --configuration | -s | --serverurl | -u | --username | -p | --password) ;;
        *) case $word in -*) ;; *) action=${action:-$word} ;; esac ;;
        esac
        before=$word
    done
    case $before in
    -c | --configuration)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    COMPREPLY=()
    case $action in
    "")
        case $current in
        -*) word="-c -i -h -s -u -p" ;;
        *) word=$actions ;;
        esac
        ;;
    help) word=$actions ;;
    start | stop | restart | status | tail | clear | fg | pid | signal | update | add | remove)
        mapfile -t options < <(_supervisorctl_options)
        word=$("${COMP_WORDS[0]}" "${options[@]}" status 2>/dev/null </dev/null |
            awk '$2 ~ /^[A-Z]+$/ { print $1; if (split($1, part, ":") > 1) print part[1] ":*" }' |
            sort -u)
        case $action in start | stop | restart | clear | update | pid) word="$word all" ;; esac
        ;;
    *) return ;;
    esac
    # A colon divides words for bash: what stands before it is not to be repeated.
    mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "$current"
    fi
}

complete -F _supervisorctl supervisorctl
