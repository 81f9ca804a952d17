# Makes the authority beside its place and moves it there whole: cut off anywhere, there is none, and the
# next run begins again. Two passwords are in memory only; those of the keys differ.
#
# stage, work: temporary directories, the second in memory.
# shellcheck disable=SC2154 # the variables are prepended, the passwords in the environment
rm -rf -- "$stage" "$work"
mkdir -m 0700 -- "$stage" "$work"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM # a shell that a signal ends does not run the other trap
printf '%s\n' "$root_password" >"$work/root"
printf '%s\n' "$provisioner_password" >"$work/provisioner"
printf '%s\n' "$intermediate_password" >"$stage/password.txt"
unset root_password provisioner_password intermediate_password
set --
for name in $names; do set -- "$@" --dns "$name"; done
STEPPATH=$stage HOME=$work; export STEPPATH HOME
"$step" ca init --deployment-type standalone --name "$title" "$@" --address ":$port" --with-ca-url "$url" \
  --provisioner "$provisioner" --password-file "$work/root" --provisioner-password-file "$work/provisioner"
"$step" crypto change-pass --force --password-file "$work/root" --new-password-file "$stage/password.txt" \
  "$stage/secrets/intermediate_ca_key"
for f in "$stage/config/ca.json" "$stage/config/defaults.json"; do
  sed "s|$stage/|$dir/|g" "$f" >"$f.tmp"
  mv -f -- "$f.tmp" "$f"
done
mkdir -p -- "$stage/db"
chown -R -- step:step "$stage"
find "$stage" -type d -exec chmod 0700 {} +
find "$stage" -type f -exec chmod 0600 {} +
sync -f "$stage"
mv -T -- "$stage" "$dir" # fails unless that is empty, or not there
sync -f "$dir"
