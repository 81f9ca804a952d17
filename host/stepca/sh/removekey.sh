# Removes the machine's key of the root, which is kept elsewhere: only when what was read back from there is
# the same, opens with the password that is kept there, and is the key of the machine's root certificate.
# shellcheck disable=SC2154 # the variables are prepended
set -e
umask 077
work=$(mktemp -d /run/lab-step-ca.XXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM # a shell that a signal ends does not run the other trap
STEPPATH=$work HOME=$work; export STEPPATH HOME
printf '%s' "$key" >"$work/key"
printf '%s' "$password" >"$work/password"
if ! cmp -s -- "$work/key" "$file"; then echo 'the key changed since it was read' >&2; exit 1; fi
"$step" crypto key public --password-file "$work/password" "$work/key" >"$work/public" </dev/null ||
  { echo 'the key does not open with the password' >&2; exit 1; }
"$step" crypto key public "$root" >"$work/certified" </dev/null
cmp -s -- "$work/public" "$work/certified" || { echo 'it is not the key of the root certificate' >&2; exit 1; }
[ -z "$remove" ] || { rm -f -- "$file"; sync -- "${file%/*}/"; }
