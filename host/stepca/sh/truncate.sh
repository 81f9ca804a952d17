# Removes what a power cut left at the end of the database's log, as badger would if step-ca let it. A copy of
# the file stays beside the database.
# shellcheck disable=SC2154 # the variables are prepended
systemctl stop -- step-ca.service
[ "$(stat -c %s -- "$file")" = "$size" ] || { echo 'the database changed since it was planned: plan again' >&2; exit 1; }
cp -p -- "$file" "$copy"
sync -- "$copy"
truncate -s "$end" -- "$file"
sync -- "$file"
