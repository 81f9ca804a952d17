# Makes an administrator of Gitea, whose password is thrown away, unless there is one of this name.
: "${i:?}" "${user:?}" "${email:?}"
if docker exec "$i" gitea admin user list --admin |
  awk -v u="$user" 'tolower($2) == tolower(u) { found = 1 } END { exit !found }'; then exit 0; fi
docker exec "$i" gitea admin user create --admin --username "$user" --email "$email" \
  --random-password --random-password-length 40 --must-change-password=false >/dev/null
