"""The scripts of three shells, each from the same three tables: verbs, words of a verb, values of a key."""

from __future__ import annotations

from collections.abc import Callable

Table = dict[str, list[str]]
Script = Callable[[dict[str, str], list[str], Table, Table], str]

_BASH = r"""# bash completion of gantrans; made by `gantrans completion bash`
# These two set `words` and `values` of their caller, as a process for each would take longer than all else.
_gantrans_words() {
    case "$1" in
@WORDS@
    esac
}
_gantrans_values() {
    case "$1" in
@VALUES@
    esac
}
# Takes `line` apart as bash does, with quotes and backslashes: `told` are the words before the last, `word`
# is the last. Of `word` bash replaces only what follows `lead`, as it parts words at "=" and ":" as well.
_gantrans_parse() {
    local i c quote= escaped= begun=
    for ((i = 0; i < ${#line}; i++)); do
        c=${line:i:1}
        if [[ -n $escaped ]]; then word+=$c escaped=
        elif [[ $c == \\ && $quote != \' ]]; then escaped=1 begun=1
        elif [[ $c == "$quote" ]]; then quote=
        elif [[ -n $quote ]]; then word+=$c
        elif [[ $c == [\'\"] ]]; then quote=$c begun=1
        elif [[ $c == [[:space:]] ]]; then
            [[ -n $begun ]] && told+=("$word")
            word= lead= begun=
        else
            word+=$c begun=1
            [[ $COMP_WORDBREAKS == *"$c"* ]] && lead=$word
        fi
    done
}
# Offers what `compgen` finds for $2, with $1 in front; a name may hold spaces and stars.
_gantrans_offer() {
    local front=$1 found
    shift
    while IFS= read -r found; do
        found=$front$found
        COMPREPLY+=("${found#"$lead"}")
    done < <(compgen "$@")
}
_gantrans() {
    local line=${COMP_LINE:0:$COMP_POINT} IFS=$' \t\n' word= lead=
    local -a told=()
    _gantrans_parse
    local verb=${told[1]-}
    COMPREPLY=()
    if [[ -z $verb ]]; then
        _gantrans_offer '' -W "@VERBS@ --help --version" -- "$word"
        return
    fi
    if [[ $word != *=* ]]; then
        local words=
        _gantrans_words "$verb"
        _gantrans_offer '' -W "$words" -- "$word"
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
        if [[ " @PATHS@ " == *" $verb "* ]]; then
            # Then bash quotes what it inserts, which would spoil the "=" of keys.
            (( ${#COMPREPLY[@]} )) || compopt -o filenames 2>/dev/null
            _gantrans_offer '' -f -- "$word"
        fi
        return
    fi
    local key=${word%%=*} value=${word#*=} values=
    _gantrans_values "$verb/$key"
    if [[ -n $values ]]; then
        _gantrans_offer "$key=" -W "$values" -- "$value"
    fi
    if [[ -z $values || $key == recipe ]]; then
        compopt -o filenames -o nospace 2>/dev/null
        _gantrans_offer "$key=" -f -- "$value"
    fi
}
complete -F _gantrans gantrans
"""

_ZSH = r"""#compdef gantrans
# zsh completion of gantrans; made by `gantrans completion zsh`
_gantrans_words() {
    case "$1" in
@WORDS@
    esac
}
_gantrans_values() {
    case "$1" in
@VALUES@
    esac
}
_gantrans() {
    local verb=${words[2]} word=${words[CURRENT]}
    if (( CURRENT == 2 )); then
        compadd -- @VERBS@ --help --version
        return
    fi
    if [[ $word == *=* ]]; then
        local key=${word%%=*}
        local -a values=(${=$(_gantrans_values "$verb/$key")})
        compset -P '*='
        (( $#values )) && compadd -- $values
        if (( ! $#values )) || [[ $key == recipe ]]; then _files; fi
        return
    fi
    local -a candidates=(${=$(_gantrans_words "$verb")})
    compadd -S '' -- ${(M)candidates:#*=}
    compadd -- ${candidates:#*=}
    if [[ " @PATHS@ " == *" $verb "* ]]; then _files; fi
}
compdef _gantrans gantrans
"""

_FISH = r"""# fish completion of gantrans; made by `gantrans completion fish`
function __gantrans_words
    switch $argv[1]
@WORDS@
    end
end
function __gantrans_values
    switch $argv[1]
@VALUES@
    end
end
function __gantrans
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l verb $before[2]
    if not string match -q '*=*' -- $word
        __gantrans_words $verb
        contains -- $verb @PATHS@; and __fish_complete_path $word
        return
    end
    set -l parts (string split -m 1 = -- $word)
    set -l values (__gantrans_values "$verb/$parts[1]")
    for value in $values
        echo "$parts[1]=$value"
    end
    if test -z "$values"; or test "$parts[1]" = recipe
        for path in (__fish_complete_path $parts[2])
            echo "$parts[1]="(string split -m 1 \t -- $path)[1]
        end
    end
end
complete -c gantrans -f
complete -c gantrans -n 'test (count (commandline -opc)) -gt 1' -k -a '(__gantrans)'
@VERBS@
"""


def _bash(verbs: dict[str, str], paths: list[str], words: Table, values: Table) -> str:
    return _filled(_BASH, " ".join(verbs), paths, _cases(words, "words="), _cases(values, "values="))


def _zsh(verbs: dict[str, str], paths: list[str], words: Table, values: Table) -> str:
    return _filled(_ZSH, " ".join(verbs), paths, _cases(words, "echo "), _cases(values, "echo "))


def _fish(verbs: dict[str, str], paths: list[str], words: Table, values: Table) -> str:
    first = "complete -c gantrans -n 'test (count (commandline -opc)) -eq 1' -a "
    about = "\n".join(f"{first}{verb} -d {_quoted(text)}" for verb, text in verbs.items())
    return _filled(_FISH, about, paths, _fish_cases(words), _fish_cases(values))


def _filled(script: str, verbs: str, paths: list[str], words: str, values: str) -> str:
    filled = {"@VERBS@": verbs, "@PATHS@": " ".join(paths), "@WORDS@": words, "@VALUES@": values}
    for mark, text in filled.items():
        script = script.replace(mark, text)
    return script


def _cases(table: Table, act: str) -> str:
    """Nothing here holds a quote: keys and names of files in conf/."""
    return "\n".join(f"        {key}) {act}'{' '.join(found)}' ;;" for key, found in table.items())


def _fish_cases(table: Table) -> str:
    return "\n".join(
        f"        case {key}\n            printf '%s\\n' {' '.join(found)}" for key, found in table.items()
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS: dict[str, Script] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
