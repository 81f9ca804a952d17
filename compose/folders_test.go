package compose_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
)

// TestFolders loads what public folders have, each by its features alone: Docker's awesome-compose and
// applications that people run at home. Compose's own loader takes all of them. What is refused says
// what is at stake, and is let through by what the refusal names.
func TestFolders(t *testing.T) {
	const secretShown = "docker inspect would show the secret"
	for _, c := range []struct {
		name, services, more, env string
		files                     []string // beside it
		refused                   string
		plain, vars               []string // that let it through
	}{
		{name: "nginx-golang", services: "proxy: {image: nginx, depends_on: [backend]}, backend: {build: {context: backend, " +
			"target: builder}}", refused: "nothing is built on a machine"},
		{name: "nginx-flask-mongo", services: "web: {image: nginx, build: app, stop_signal: SIGINT, ports: ['80:80']}"},
		{name: "wordpress-mysql", services: "db: {image: 'mariadb:10.6', command: " +
			"'--default-authentication-plugin=mysql_native_password', volumes: ['db_data:/var/lib/mysql'], environment: " +
			"[MYSQL_ROOT_PASSWORD=somewordpress, MYSQL_DATABASE=wordpress], expose: [3306]}",
			more:    "volumes: {db_data: }",
			refused: secretShown, plain: []string{"db.MYSQL_ROOT_PASSWORD"}},
		{name: "nextcloud-postgres", services: "db: {image: 'postgres:alpine', environment: [POSTGRES_PASSWORD=nextcloud, " +
			"POSTGRES_DB=nextcloud]}, nc: {image: 'nextcloud:apache', environment: [POSTGRES_DB=nextcloud]}",
			refused: secretShown, plain: []string{"db.POSTGRES_PASSWORD"}},
		{name: "nextcloud.example.com", services: "app: {image: 'nextcloud:fpm', links: [db], env_file: [db.env]}, db: " +
			"{image: 'mariadb:lts', env_file: db.env}", files: []string{"db.env=MYSQL_PASSWORD=nextcloud\nMYSQL_USER=nextcloud"},
			refused: secretShown, plain: []string{"app.MYSQL_PASSWORD", "db.MYSQL_PASSWORD"}},
		{name: "pihole-cloudflared-DoH", services: "cloudflared: {container_name: cloudflared, image: " +
			"cloudflare/cloudflared, command: proxy-dns, environment: [TUNNEL_DNS_UPSTREAM], networks: {priv_net: " +
			"{ipv4_address: 172.30.9.2}}}, pihole: {image: pihole/pihole, ports: ['53:53/udp', '67:67/udp'], cap_add: " +
			"[NET_ADMIN], environment: ['DNS1=172.30.9.2#5054', 'FTLCONF_dns_upstreams=${UPSTREAMS}'], networks: {priv_net: " +
			"{ipv4_address: 172.30.9.3}}}",
			more: "networks: {priv_net: {ipam: {config: [{subnet: 172.30.9.0/29}]}}}"},
		{name: "prometheus-grafana", services: "prometheus: {image: prom/prometheus, command: " +
			"['--config.file=/etc/prometheus/prometheus.yml'], volumes: ['./prometheus:/etc/prometheus', " +
			"'prom_data:/prometheus']}", more: "volumes: {prom_data: {}}", files: []string{"prometheus/prometheus.yml=x"}},
		{name: "elasticsearch-logstash-kibana", services: "es: {image: 'elasticsearch:7.16.1', environment: " +
			"{discovery.type: single-node, ES_JAVA_OPTS: '-Xms512m -Xmx512m'}, ports: ['9200:9200', '9300:9300'], healthcheck: " +
			"{test: ['CMD-SHELL', 'curl --silent --fail localhost:9200/_cluster/health || exit 1'], retries: 3}}"},
		{name: "portainer", services: "portainer: {image: 'portainer/portainer-ce:alpine', command: -H " +
			"unix:///var/run/docker.sock, volumes: ['/var/run/docker.sock:/var/run/docker.sock', 'portainer_data:/data'], " +
			"restart: always}", more: "volumes: {portainer_data: }"},
		{name: "minecraft", services: "mc: {image: itzg/minecraft-server, environment: {EULA: 'TRUE'}, deploy: {resources: " +
			"{limits: {memory: 1.5G}}}, volumes: ['~/minecraft_data:/data'], stdin_open: true, tty: true}",
			refused: "~ is the home of who runs this"},
		{name: "plex", services: "plex: {image: linuxserver/plex, network_mode: host, environment: [PUID=1000, " +
			"VERSION=docker, 'PLEX_CLAIM=${PLEX_CLAIM:-}'], volumes: ['${PLEX_MEDIA}:/media']}",
			refused: "${PLEX_MEDIA} is not set", vars: []string{"PLEX_MEDIA=/srv/media"}},
		{name: "wireguard", services: "wg: {image: linuxserver/wireguard, cap_add: [NET_ADMIN, SYS_MODULE], environment: " +
			"[TZ, 'PEERS=1', 'ALLOWEDIPS=0.0.0.0/0'], volumes: ['/usr/src:/usr/src', '/lib/modules:/lib/modules'], sysctls: " +
			"[net.ipv4.conf.all.src_valid_mark=1], ports: ['51820:51820/udp']}"},
		{name: "traefik", services: "traefik: {image: 'traefik:v3', command: ['--entrypoints.web.address=:80'], ports: " +
			"['80:80', '443:443', '127.0.0.1:8080:8080'], volumes: ['./acme.json:/acme.json', " +
			"'/var/run/docker.sock:/var/run/docker.sock:ro'], labels: " +
			"['traefik.http.middlewares.auth.basicauth.users=u:$$apr1$$x$$y'], networks: [proxy]}",
			more: "networks: {proxy: {external: true}}", files: []string{"acme.json="}},
		{name: "vaultwarden", services: "vw: {image: 'vaultwarden/server:latest', container_name: vaultwarden, environment: " +
			"{DOMAIN: 'https://vw.example.test', SIGNUPS_ALLOWED: 'false', ADMIN_TOKEN: '${ADMIN_TOKEN}'}, volumes: ['./vw-data/:/data/']}",
			refused: "${ADMIN_TOKEN} is not set", vars: []string{"ADMIN_TOKEN="}},
		{name: "gitea", services: "server: {image: 'gitea/gitea:1.25', environment: [USER_UID=1000, " +
			"GITEA__database__PASSWD=gitea], volumes: ['./gitea:/data', '/etc/timezone:/etc/timezone:ro', " +
			"'/etc/localtime:/etc/localtime:ro'], ports: ['3000:3000', '222:22'], depends_on: [db]}, db: {image: " +
			"'postgres:14', volumes: ['./postgres:/var/lib/postgresql/data']}",
			refused: secretShown, plain: []string{"server.GITEA__database__PASSWD"}},
		{name: "immich", services: "server: {container_name: immich_server, image: " +
			"'ghcr.io/immich-app/immich-server:${IMMICH_VERSION:-release}', volumes: ['${UPLOAD_LOCATION}:/data', " +
			"'/etc/localtime:/etc/localtime:ro'], env_file: [.env], ports: ['2283:2283'], depends_on: [redis, database], " +
			"healthcheck: {disable: false}}, redis: {image: 'valkey/valkey:8', healthcheck: {test: redis-cli ping || exit " +
			"1}}, database: {image: 'ghcr.io/immich-app/postgres:14', environment: {POSTGRES_PASSWORD: '${DB_PASSWORD}', " +
			"POSTGRES_USER: '${DB_USERNAME}', POSTGRES_INITDB_ARGS: '--data-checksums'}, volumes: " +
			"['${DB_DATA_LOCATION}:/var/lib/postgresql/data'], shm_size: 128mb}",
			env:     "UPLOAD_LOCATION=./library\nDB_DATA_LOCATION=./postgres\nIMMICH_VERSION=v2\nDB_PASSWORD=postgres\nDB_USERNAME=postgres\n",
			refused: secretShown, plain: []string{"server.DB_PASSWORD", "database.POSTGRES_PASSWORD"}},
		{name: "paperless-ngx", services: "broker: {image: 'redis:8', volumes: ['redisdata:/data']}, webserver: {image: " +
			"'ghcr.io/paperless-ngx/paperless-ngx:latest', depends_on: [broker], ports: ['8000:8000'], env_file: " +
			"docker-compose.env, environment: {PAPERLESS_REDIS: 'redis://broker:6379'}, volumes: " +
			"['data:/usr/src/paperless/data', './export:/usr/src/paperless/export']}",
			more: "volumes: {data: , redisdata: }", env: "COMPOSE_PROJECT_NAME=paperless\n",
			files: []string{"docker-compose.env=# PAPERLESS_URL=x\nPAPERLESS_TIME_ZONE=Europe/Berlin"}},
		{name: "home-assistant", services: "homeassistant: {container_name: homeassistant, image: " +
			"'ghcr.io/home-assistant/home-assistant:stable', volumes: ['./config:/config', '/run/dbus:/run/dbus:ro'], restart: " +
			"unless-stopped, privileged: true, network_mode: host}"},
		{name: "gluetun", services: "qbittorrent: {image: linuxserver/qbittorrent, network_mode: 'container:gluetun', " +
			"environment: [WEBUI_PORT=8080]}"},
		{name: "jellyfin", services: "jellyfin: {image: jellyfin/jellyfin, user: '1000:1000', group_add: ['122'], devices: " +
			"['/dev/dri/renderD128:/dev/dri/renderD128'], extra_hosts: ['host.docker.internal:host-gateway'], volumes: [{type: " +
			"bind, source: /srv/media, target: /media, read_only: true}]}"},
		{name: "jellyfin.ids", services: "jellyfin: {image: jellyfin/jellyfin, user: '${UID}:${GID}'}",
			refused: "${GID} is not set", vars: []string{"UID=1000", "GID=1000"}},
		{name: "authentik",
			services: "server: {image: '${AUTHENTIK_IMAGE:-ghcr.io/goauthentik/server}:${AUTHENTIK_TAG:-2025.10}', command: " +
				"server, environment: {AUTHENTIK_POSTGRESQL__PASSWORD: '${PG_PASS:?database password required}'}}",
			refused: "${PG_PASS} is not set: database password required", vars: []string{"PG_PASS=x"},
			plain: []string{"server.AUTHENTIK_POSTGRESQL__PASSWORD"}},
		{name: "mailcow", services: "unbound: {image: 'ghcr.io/mailcow/unbound:1.24', environment: ['TZ=${TZ}', " +
			"'SKIP=${SKIP_UNBOUND_HEALTHCHECK:-n}'], networks: {net: {ipv4_address: '${IPV4_NETWORK:-172.22.1}.254', aliases: [unbound]}}}",
			more: "networks: {net: {driver: bridge, driver_opts: {com.docker.network.bridge.name: br-mailcow}, enable_ipv6: " +
				"true, ipam: {config: [{subnet: '${IPV4_NETWORK:-172.22.1}.0/24'}]}}}", env: "COMPOSE_PROJECT_NAME=mailcow\nTZ=Europe/Berlin\n"},
		{name: "nextcloud-aio", services: "nextcloud-aio-mastercontainer: {image: " +
			"'ghcr.io/nextcloud-releases/all-in-one:latest', init: true, container_name: nextcloud-aio-mastercontainer, " +
			"volumes: ['nextcloud_aio_mastercontainer:/mnt/docker-aio-config'], security_opt: ['label:disable']}",
			more: "volumes: {nextcloud_aio_mastercontainer: {name: nextcloud_aio_mastercontainer}}"},
		{name: "dockge", services: "dockge: {image: 'louislam/dockge:1', ports: ['5001:5001'], volumes: " +
			"['./data:/app/data', '/opt/stacks:/opt/stacks'], environment: [DOCKGE_STACKS_DIR=/opt/stacks]}"},
		{name: "n8n", services: "n8n: {image: docker.n8n.io/n8nio/n8n, ports: ['127.0.0.1:5678:5678'], labels: " +
			"['traefik.http.routers.n8n.rule=Host(`${SUBDOMAIN}.${DOMAIN_NAME}`)'], environment: " +
			"['WEBHOOK_URL=https://${SUBDOMAIN}.${DOMAIN_NAME}/']}", env: "SUBDOMAIN=n8n\nDOMAIN_NAME=example.test\n"},
		{name: "cloudflared", services: "tunnel: {image: cloudflare/cloudflared, command: tunnel run --token $TUNNEL_TOKEN}", env: "TUNNEL_TOKEN=eyJhIjoiMTIzNDU2Nzg5\n",
			refused: secretShown, plain: []string{"tunnel.command"}},
		{name: "frigate", services: "frigate: {image: 'ghcr.io/blakeblackshear/frigate:stable', shm_size: 512mb, " +
			"stop_grace_period: 30s, devices: ['/dev/bus/usb:/dev/bus/usb'], tmpfs: ['/tmp/cache:size=1000000000'], volumes: " +
			"[{type: tmpfs, target: /x, tmpfs: {size: 1000000}}]}"},
		{name: "adguard", services: "adguard: {image: adguard/adguardhome, ports: ['53:53/tcp', '53:53/udp', " +
			"'3000:3000/tcp', '853:853/tcp'], volumes: ['./work:/opt/adguardhome/work']}"},
		{name: "searxng", services: "searxng: {image: searxng/searxng, cap_drop: [ALL], cap_add: [CHOWN, SETGID], " +
			"environment: ['BASE=https://${SEARXNG_HOSTNAME:-localhost}/'], logging: {driver: json-file, options: {max-size: 1m, max-file: '1'}}}"},
		{name: "chrome", services: "chrome: {image: browserless/chrome, security_opt: ['seccomp=./chrome.json', " +
			"'apparmor:unconfined'], ipc: host}", files: []string{"chrome.json={}"}},
		{name: "grafana.configs", services: "g: {image: grafana/grafana, configs: [{source: ini, target: " +
			"/etc/grafana/grafana.ini}]}", more: "configs: {ini: {content: \"[server]\\ndomain = ${DOMAIN:-x}\\n\"}}"},
		{name: "monitoring", services: "node: {image: prom/node-exporter, pid: host, network_mode: host, command: " +
			"['--path.rootfs=/host', '--collector.filesystem.mount-points-exclude=^/(sys|proc|dev)($$|/)'], volumes: ['/:/host:ro,rslave']}"},
		{name: "templates", services: "web: {<<: *base, image: nginx, environment: {<<: *env, B: '2'}}",
			more: "x-base: &base {restart: unless-stopped, logging: {driver: local}}\nx-env: &env {A: '1', PRICE: '5$'}"},
		{name: "split", services: "web: {extends: {file: common.yml, service: base}, image: nginx}",
			more: "include: [more.yml]", files: []string{"common.yml=services: {base: {environment: {A: '1'}, volumes: " +
				"['./conf:/conf:ro']}}", "conf/a=x", "more.yml=services: {more: {image: nginx, label_file: [more.labels]}}", "more.labels=a=b"}},
		{name: "profiles", services: "a: {image: nginx}, b: {image: nginx, profiles: [debug]}",
			env: "COMPOSE_PROFILES=debug\nCOMPOSE_FILE=compose.yaml\nCOMPOSE_PATH_SEPARATOR=:\n"},
		{name: "Pass-Through", services: "a: {image: nginx, environment: [HTTP_PORT, HTTPS_PROXY, no_proxy]}"},
		{name: "swarm", services: "a: {image: nginx, deploy: {replicas: 2, placement: {constraints: " +
			"['node.role==manager']}, update_config: {order: start-first}, restart_policy: {condition: on-failure}}, ports: " +
			"[{target: 80, published: '8081', mode: host}]}", refused: "can be had by one container only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), c.name)
			text := c.more + "\nservices: {" + c.services + "}\n"
			writeFile(t, dir, "compose.yaml", text)
			if c.env != "" {
				writeFile(t, dir, ".env", c.env)
			}
			for _, f := range c.files {
				name, content, _ := strings.Cut(f, "=")
				writeFile(t, dir, name, content)
			}
			variables := map[string]string{}
			for line := range strings.Lines(c.env) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
				variables[k] = v
			}
			for _, v := range c.vars {
				k, v, _ := strings.Cut(v, "=")
				variables[k] = v
			}
			if err := composeTakes(dir, text, variables); err != nil {
				t.Errorf("Compose itself does not take it: %v", err)
			}
			source := compose.Source{Dir: dir}
			load := func(s compose.Source) error {
				t.Helper()
				s.Lock = everyImage(t, s)
				_, err := compose.Load(t.Context(), s)
				return err
			}
			err := load(source)
			if c.refused == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var ps lab.Problems
			if !errors.As(err, &ps) || !strings.Contains(err.Error(), c.refused) {
				t.Fatalf("want %q, got %v", c.refused, err)
			}
			for _, p := range ps {
				if p.Hint == "" {
					t.Errorf("nothing is said of what lets it through: %s", p)
				}
				for _, plain := range c.plain {
					if strings.Contains(p.Path, "."+plain[strings.IndexByte(plain, '.')+1:]) && p.Set.Value == "" {
						t.Errorf("nothing can be set: %s", p)
					}
				}
			}
			if c.plain == nil && c.vars == nil {
				return
			}
			source.PlainEnvironment, source.Variables = c.plain, map[string]string{}
			for _, v := range c.vars {
				k, v, _ := strings.Cut(v, "=")
				source.Variables[k] = v
			}
			if err := load(source); err != nil {
				t.Errorf("with %v and %v: %v", c.plain, c.vars, err)
			}
		})
	}
}

// everyImage pins all images of a source; nothing when it does not load.
func everyImage(t *testing.T, s compose.Source) compose.Lock {
	t.Helper()
	lock := compose.Lock{}
	images, _ := compose.Images(t.Context(), s)
	for _, i := range images {
		lock[i] = compose.Pin{Digest: id}
	}
	return lock
}

// composeTakes loads a file by Compose's own loader, as docker compose config does.
func composeTakes(dir, text string, variables map[string]string) error {
	_, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{WorkingDir: dir, Environment: variables,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml"), Content: []byte(text)}}},
		func(o *loader.Options) {
			o.SetProjectName("x", true)
			o.Interpolate.Substitute = func(text string, values template.Mapping) (string, error) {
				return template.SubstituteWithOptions(text, values, template.WithoutLogging)
			}
		})
	return err
}
