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

# Names come from a server, so they are data: without control characters and marks of direction.
_supervisorctl_names() {
    "$@" status 2>/dev/null </dev/null | LC_ALL=C awk '
        $1 ~ /[\001-\037\177]|\302[\200-\237]|\342\200[\216\217\252-\256]|\342\201[\246-\251]/ { next }
        $2 ~ /^[A-Z]+$/ { print $1; if (split($1, part, ":") > 1) print part[1] ":*" }' |
        LC_ALL=C sort -u
}

# Put the lines that begin with $1 into COMPREPLY, quoted for the command line.  compgen -W would
# expand them, and run what is in $() and backticks.
_supervisorctl_reply() {
    local line name quoted
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -n $line && $line == "$1"* ]]; then
            name=${line%:\*}
            printf -v quoted %q "$name"
            COMPREPLY+=("$quoted${line#"$name"}")
        fi
    done
}

_supervisorctl() {
    local current=${COMP_WORDS[COMP_CWORD]} action= word before= options
    local flags="-c -i -h -s -u -p"
    local actions="add avail clear exit explain fg graph health help maintail open pid quit reload"
    actions+=" remove reopen reread restart rotate shutdown signal start status stop tail update version"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $before in
        -c | --configuration | -s | --serverurl | -u | --username | -p | --password) ;;
        *) case $word in -*) ;; *) action=${action:-$word} ;; esac ;;
        esac
        before=$word
    done
    case $before in
    -c | --configuration)
        _supervisorctl_reply "$current" < <(compgen -f -- "$current")
        return
        ;;
    esac
    COMPREPLY=()
    case $action in
    "")
        case $current in
        -*) word=${flags// /$'\n'} ;;
        *) word=${actions// /$'\n'} ;;
        esac
        ;;
    help) word=${actions// /$'\n'} ;;
    start | stop | restart | status | tail | clear | fg | pid | signal | update | add | remove | \
        explain | graph | rotate | reopen)
        mapfile -t options < <(_supervisorctl_options)
        word=$(_supervisorctl_names "${COMP_WORDS[0]}" "${options[@]}")
        case $action in
        start | stop | restart | clear | rotate | reopen | update | pid | explain) word+=$'\nall' ;;
        esac
        case $action$current in
        start-*) word=--no-deps ;;
        stop-* | restart-*) word=--with-dependents ;;
        graph-*) word=$'--format=text\n--format=mermaid\n--format=json' ;;
        esac
        ;;
    *) return ;;
    esac
    # A colon divides words for bash: what stands before it is not to be repeated.
    _supervisorctl_reply "$current" <<<"$word"
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "$current"
    fi
}

complete -F _supervisorctl supervisorctl
