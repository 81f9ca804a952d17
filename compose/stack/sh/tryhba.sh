# In a container: asks the view pg_hba_file_rules of a server that reads the file. In single-user
# mode nothing listens, and a certificate is not looked for.
: "${d:?}" "${ssl:?}"
bad=$(echo 'select line_number, error from pg_hba_file_rules where error is not null' |
  postgres --single -D "$d/pg" -c "hba_file=$d/new" -c "ssl=$ssl" postgres | grep -E '(line_number|error) = ' || :)
[ -z "$bad" ] || {
  echo 'pg_hba.conf is wrong: the number counts its lines'
  echo "$bad"
  exit 1
}
