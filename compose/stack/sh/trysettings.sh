# In a container: starts a server with the file.
: "${d:?}"
echo 'select 1' | postgres --single -D "$d/pg" -c "config_file=$d/new" postgres >"$d/out" 2>&1 || {
  cat "$d/out"
  exit 1
}
