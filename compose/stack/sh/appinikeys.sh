# Removes keys from app.ini, "section key" each, separated by bars.
: "${file:?}" "${keys:?}"
cp -p -- "$file" "$file.lab"
awk -v keys="$keys" '
BEGIN { n = split(keys, list, "|"); for (i = 1; i <= n; i++) drop[list[i]] = 1; section = "default" }
/^[ \t]*\[/ { section = tolower($0); gsub(/^[ \t]*\[[ \t]*|[ \t]*\][ \t]*$/, "", section) }
{ key = $0; sub(/=.*/, "", key); gsub(/[ \t]/, "", key); if (!((section " " key) in drop)) print }' "$file" >"$file.lab"
sync
mv -f -- "$file.lab" "$file"
