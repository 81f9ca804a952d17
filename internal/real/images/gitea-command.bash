#!/bin/bash
for a; do
	case $a in -c | -c=* | --config | --config=*) exec /app/gitea/gitea "$@" ;; esac
done
exec /app/gitea/gitea -c "$GITEA_APP_INI" "$@"
