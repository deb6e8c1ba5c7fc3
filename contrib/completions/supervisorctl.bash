# Completion of supervisorctl for bash: /usr/share/bash-completion/completions/supervisorctl
# `supervisorctl complete` knows actions, flags, and the names that the daemon has right now.

# Put the lines that begin with $1 into COMPREPLY, quoted for the command line.  compgen -W would
# expand them, and run what is in $() and backticks.
_supervisorctl_reply() {
    local line name quoted
    COMPREPLY=()
    while IFS= read -r line; do
        line=${line%%$'\t'*}
        if [[ -n $line && $line == "$1"* ]]; then
            name=${line%:\*}
            printf -v quoted %q "$name"
            COMPREPLY+=("$quoted${line#"$name"}")
        fi
    done
}

_supervisorctl() {
    local word before= action= found current
    local -a words options following
    # COMP_WORDS is divided at colons and equals signs, which names and flags contain.
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    if [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]]; then
        words+=("")
    fi
    current=${words[${#words[@]} - 1]}
    for word in "${words[@]:1:${#words[@]}-2}"; do
        if [[ -n $action ]]; then
            following+=("$word")
            continue
        fi
        case $before in
        -c | --configuration | -s | --serverurl | -u | --username | -p | --password)
            options+=("$before" "$word")
            before=
            ;;
        *)
            before=$word
            case $word in
            -*) ;;
            *) action=$word following=("$word") ;;
            esac
            ;;
        esac
    done
    case $action$before in
    -c | --configuration)
        _supervisorctl_reply "$current" < <(compgen -f -- "$current")
        return
        ;;
    -s | --serverurl | -u | --username | -p | --password) return ;;
    esac
    COMPREPLY=()
    case $action$current in
    -*) found=$'-c\n-i\n-h\n-s\n-u\n-p' ;;
    *)
        found=$("${words[0]}" "${options[@]}" complete "--word=$current" "${following[@]}" \
            2>/dev/null </dev/null) || return
        ;;
    esac
    _supervisorctl_reply "$current" <<<"$found"
    # Readline replaces only the part of the word behind the last of the characters that divide it.
    before=${current%"${current##*[$COMP_WORDBREAKS]}"}
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

complete -F _supervisorctl supervisorctl
