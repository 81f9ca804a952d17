# Starts a script that is sent on standard input.
#
# This text is an argument of sh -c in a command line for the user's login shell, which may be any
# shell. So its lines are joined with spaces (every statement ends with a semicolon), and below this
# header there is no comment, single quote, backslash or exclamation mark.
#
# $1: the marker, a random word. It precedes the script's own output on both streams.
# $2: the size of the script in bytes. head of coreutils reads no byte more, so that the rest of
#     standard input is the script's.
# $3: the file with the ID of this boot.
#
# The marker's line on standard error has the ID of this process, which is also that of its session,
# and the ID of the boot. The script runs only if its beginning and its end have arrived: the rest of
# one that was cut off, or of which a startup file of the login shell has read a line, must not run.
# It finds none of the variables and arguments that are used here.
b=;
{ read -r b <"$3"; } 2>/dev/null;
echo "$1";
echo "$1 $$${b:+ $b}" >&2;
s=$(head -c "$2");
case $s in
:?"$1"*"$1") eval "set --; unset b s; $s" ;;
*) echo "$1" >&2; exit 71 ;;
esac
