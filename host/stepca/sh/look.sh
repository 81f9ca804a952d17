# Prints what the machine has of the authority, reading only: the time, the names in the directory, for each
# file its hash, and the content of those that are not secret.
# shellcheck disable=SC2154 # dir, files and public are prepended
printf 'now %s\n' "$(date +%s)"
if [ -d "$dir" ]; then
  for f in "$dir"/* "$dir"/.[!.]*; do
    if [ -e "$f" ] || [ -h "$f" ]; then printf 'entry %s\n' "${f##*/}"; fi
  done
fi
for f in $files; do
  if [ -f "$dir/$f" ]; then
    h=$(sha256sum <"$dir/$f") || exit 1
    printf 'file %s %s\n' "$f" "${h%% *}"
  fi
done
for f in $public; do
  if [ -f "$dir/$f" ]; then
    printf 'content %s ' "$f"
    base64 -w 0 <"$dir/$f" || exit 1
    echo
  fi
done
