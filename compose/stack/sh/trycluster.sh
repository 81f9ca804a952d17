# In a container: the configuration that is tried is $d/new, and $d/pg is a cluster.
set -e
d=$(mktemp -d) # it ends with the container
cat >"$d/new"
initdb -D "$d/pg" -U postgres -A trust -N >/dev/null
