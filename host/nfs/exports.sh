# Prints what other files export, and what is exported.
#
# ours: the file that is not looked at
# shellcheck disable=SC2154 # the caller prepends it
for f in /etc/exports /etc/exports.d/*.exports; do
  if [ "$f" != "$ours" ] && [ -f "$f" ]; then
    while read -r l || [ "$l" ]; do printf 'file %s %s\n' "$f" "$l"; done <"$f"
  fi
done
if command -v exportfs >/dev/null; then exportfs -s | sed 's/^/now /'; fi
