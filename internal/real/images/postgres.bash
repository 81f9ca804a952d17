#!/bin/bash
set -euo pipefail
if [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi
if [ "$1" != postgres ]; then exec "$@"; fi
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA" /var/run/postgresql
	chown -R postgres: "$PGDATA" /var/run/postgresql
	chmod 700 "$PGDATA"
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
# value NAME DEFAULT prints the variable, or the content of the file that NAME_FILE names.
value() {
	local file=$1_FILE
	if [ -n "${!file:-}" ] && [ -n "${!1:-}" ]; then echo "both $1 and $file are set" >&2; exit 1; fi
	if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-$2}"; fi
}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	user=$(value POSTGRES_USER postgres)
	password=$(value POSTGRES_PASSWORD '')
	database=$(value POSTGRES_DB "$user")
	auth=scram-sha-256
	if [ -z "$password" ]; then
		if [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
			echo 'POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set' >&2
			exit 1
		fi
		auth=trust password=unused
	fi
	eval "initdb --username=\"\$user\" --pwfile=<(printf '%s\n' \"\$password\") --auth-local=trust --auth-host=$auth" \
		"--encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-}"
	echo "host all all all $auth" >>"$PGDATA/pg_hba.conf"
	pg_ctl --wait --options="-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" start
	psql=(psql --no-psqlrc -v ON_ERROR_STOP=1 --host=/var/run/postgresql --username="$user")
	if [ "$database" != postgres ]; then
		"${psql[@]}" --dbname=postgres -v name="$database" <<<'CREATE DATABASE :"name";'
	fi
	for f in /docker-entrypoint-initdb.d/*; do
		# shellcheck disable=SC1090 # the scripts are the user's
		case $f in
		*.sh) . "$f" ;;
		*.sql) "${psql[@]}" --dbname="$database" --file="$f" ;;
		esac
	done
	pg_ctl --wait --mode=fast stop
fi
# docker import has no STOPSIGNAL, and SIGTERM would wait for the clients.
trap 'kill -INT $!' TERM INT
"$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql &
wait $! || wait $!
