# Prints what the server last said of a database that it cannot open, and the size of that file now.
# shellcheck disable=SC2154 # db is prepended
line=$(journalctl -q -u step-ca.service -b -n 500 -o cat | grep 'Truncate Needed' | tail -n 1)
[ -n "$line" ] || exit 0
printf '%s\n' "$line"
file=${line##*"File $db/"}
file=${file%% *}
case $file in
  *[!0-9.a-z]*) ;;
  *.vlog) stat -c 'now %s' -- "$db/$file" ;;
esac
