# Stores files of the stack as those of the last that was healthy. It is complete or not there. stage is a temporary
# directory.
: "${dir:?}" "${files:?}" "${stage:?}"
cd "$dir" || exit
rm -rf -- "$stage"
mkdir -m 0700 -- "$stage"
printf '%s' "$files" | while IFS= read -r f; do
  case $f in */*) mkdir -p -- "$stage/${f%/*}" ;; esac
  cp -p -- "$f" "$stage/$f"
done
sync
rm -rf -- .prev
mv -T -- "$stage" .prev
sync
