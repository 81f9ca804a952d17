# Prints the content of files of the authority, keys too, over the connection alone.
# shellcheck disable=SC2154 # dir and files are prepended
for f in $files; do
  printf 'content %s ' "$f"
  base64 -w 0 <"$dir/$f" || exit 1
  echo
done
