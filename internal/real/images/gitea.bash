#!/bin/bash
set -eu
mkdir -p "$HOME" "$GITEA_CUSTOM" "$GITEA_TEMP"
chmod 0700 "$HOME" "$GITEA_CUSTOM" "$GITEA_TEMP"
if [ ! -f "$GITEA_APP_INI" ]; then
	mkdir -p "${GITEA_APP_INI%/*}"
	chmod 0700 "${GITEA_APP_INI%/*}"
	cat >"$GITEA_APP_INI" <<END
APP_NAME = Gitea: Git with a cup of tea
RUN_USER = git
RUN_MODE = prod

[repository]
ROOT = $GITEA_WORK_DIR/git/repositories

[server]
APP_DATA_PATH    = $GITEA_WORK_DIR
STATIC_ROOT_PATH = /usr/share/gitea
SSH_DOMAIN       = localhost
HTTP_PORT        = 3000
ROOT_URL         =
DISABLE_SSH      = false
; there is no sshd in the container
START_SSH_SERVER = true
SSH_PORT         = 2222
SSH_LISTEN_PORT  = 2222
BUILTIN_SSH_SERVER_USER = git

[database]
PATH = $GITEA_WORK_DIR/data/gitea.db
DB_TYPE = sqlite3
HOST    = localhost:3306
NAME    = gitea
USER    = root
PASSWD  =

[session]
PROVIDER_CONFIG = $GITEA_WORK_DIR/data/sessions

[log]
ROOT_PATH = $GITEA_WORK_DIR/data/log

[security]
INSTALL_LOCK = false
SECRET_KEY   =

[service]
DISABLE_REGISTRATION = false
REQUIRE_SIGNIN_VIEW  = false

[lfs]
PATH = $GITEA_WORK_DIR/git/lfs
END
fi
/app/gitea/gitea config edit-ini --in-place --apply-env --config "$GITEA_APP_INI"
if [ $# -gt 0 ]; then exec "$@"; fi
exec gitea -c "$GITEA_APP_INI" web
