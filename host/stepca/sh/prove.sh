# Proves the instance on this machine: it answers with a certificate of the root, serves that root, and issues
# a certificate for five minutes that the root verifies.
# shellcheck disable=SC2154 # the variables are prepended
set -e
umask 077
work=$(mktemp -d /run/lab-step-ca.XXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM # a shell that a signal ends does not run the other trap
STEPPATH=$work HOME=$work; export STEPPATH HOME
tries=60
until [ "$("$step" ca health --ca-url "$url" --root "$root" 2>"$work/why" </dev/null)" = ok ]; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    echo "it does not get healthy: $(cat "$work/why")" >&2
    exit 1
  fi
  sleep 1
done
"$step" ca root "$work/root.crt" --ca-url "$url" --fingerprint "$fingerprint" >/dev/null </dev/null
printf '%s\n' "$password" >"$work/password"
"$step" ca certificate "$subject" "$work/leaf.crt" "$work/leaf.key" --ca-url "$url" --root "$root" \
  --provisioner "$provisioner" --provisioner-password-file "$work/password" --not-after 5m >/dev/null </dev/null
"$step" certificate verify "$work/leaf.crt" --roots "$root" --host "$subject" >/dev/null </dev/null
printf 'now %s\n' "$(date +%s)"
