package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// realConfig is the lab of three real machines: PostgreSQL and Gitea on pi2, runners on the others.
const realConfig = `environment: test
domain: arcodange.lab
boundary: {allow: [%[1]s/32, %[2]s/32, %[3]s/32]}
ssh: {user: pi, identities: [%[4]s], knownHosts: [known_hosts]}
inventory:
  hosts:
    localhost: {local: true}
    pi1: {address: %[1]s}
    pi2: {address: %[2]s}
    pi3: {address: %[3]s}
  groups:
    raspberries: {hosts: [pi1, pi2, pi3]}
    postgres: {hosts: [pi2]}
    gitea: {children: [postgres]}
    local: {hosts: [localhost, pi1, pi2, pi3]}
apps:
  - {name: webapp}
  - {name: erp, envs: [prod, sandbox]}
system:
  packages: [lab-test-a]
stacks:
  secrets: secrets
  postgres:
    on: postgres
    image: postgres:17.10
    uid: 100
    listen: %[2]s:5432
    hba:
      - {type: host, database: all, user: all, address: all, method: scram-sha-256}
  gitea:
    on: gitea
    image: gitea/gitea:%[5]s-rootless
    rootURL: http://%[2]s:3000/
    listenHTTP: %[2]s:3000
    listenSSH: %[2]s:2222
    admin: arcodange
  runner:
    on: raspberries:&local:!gitea
    image: gitea/runner:%[6]s
    labels: ["host:host"]
postgres:
  host: %[2]s
`

// TestRealLab builds the lab of realConfig on real machines with Docker Engines and looks at it
// with psql, curl and docker.
func TestRealLab(t *testing.T) {
	ms := real.Machines(t, 3)
	dir := t.TempDir()
	gitea, runner := "gitea/gitea:"+real.GiteaVersion+"-rootless", "gitea/runner:"+real.RunnerVersion
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var known strings.Builder
	for _, m := range ms {
		known.WriteString(m.KnownHosts() + "\n")
		m.InstallDocker(t)
	}
	look := func(m *real.Machine, command string) string { t.Helper(); return lookAt(t, m, command) }
	ms[1].ImportPostgres(t, 17, "postgres:17.10")
	ms[1].ImportGitea(t, gitea)
	ms[0].ImportRunner(t, runner)
	copyImage(t, runner, ms[0], ms[2])
	lock := compose.Lock{}
	for i, images := range [][]string{{runner}, {"postgres:17.10", gitea}} {
		maps.Copy(lock, pin(t, ms[i], images...))
	}
	write("known_hosts", known.String())
	write("lab.yaml", fmt.Sprintf(realConfig, ms[0].Host, ms[1].Host, ms[2].Host, ms[0].KeyFile, real.GiteaVersion,
		real.RunnerVersion))
	write(compose.LockFile, string(lock.Format()))
	run := func(args ...string) (string, error) {
		var out, problems bytes.Buffer
		err := cli.Run(t.Context(), program(), append(args, "--config", filepath.Join(dir, "lab.yaml"), "--env", "test"),
			&out, &problems)
		return out.String() + problems.String(), err
	}

	if out, err := run("plan"); !errors.Is(err, cli.ErrPending) {
		t.Fatalf("the first plan: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "secrets")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a plan made secrets: %v", err)
	}
	out, err := run("apply", "--yes")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := out
	if out, err = run("plan"); err != nil {
		t.Fatalf("the second plan: %v\n%s", err, out)
	}

	query := func(database, sql string) string {
		return look(ms[1], "sudo docker exec -u postgres postgres-postgres-1 psql -U postgres -AtqXd "+database+" -c "+ssh.Quote(sql))
	}
	if got, want := query("postgres", "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT "+
		"datistemplate"), "erp erp-sandbox gitea postgres webapp"; got != want {
		t.Errorf("the databases are %s, want %s", got, want)
	}
	if got := query("gitea", `SELECT string_agg(name || ' ' || is_admin, ',') FROM "user" WHERE type = 0`); got != "arcodange true" {
		t.Errorf("Gitea's users are %s", got)
	}
	if got := query("gitea", "SELECT string_agg(name, ' ' ORDER BY name) FROM action_runner WHERE deleted IS NULL "+
		"OR deleted = 0"); got != "pi1 pi3" {
		t.Errorf("Gitea's runners are %s", got)
	}
	if got := look(ms[0], "curl -fsS http://"+ms[1].Host+":3000/api/healthz"); !strings.Contains(got,
		`"status": "pass"`) {
		t.Errorf("Gitea says of its health: %s", got)
	}
	for i, want := range []string{"runner-runner-1", "gitea-gitea-1 postgres-postgres-1", "runner-runner-1"} {
		if got := strings.Join(strings.Fields(look(ms[i],
			"sudo docker ps --filter status=running --format '{{.Names}}' | sort")), " "); got != want {
			t.Errorf("on %s run %s, want %s", ms[i].Name, got, want)
		}
	}

	secrets, err := filepath.Glob(filepath.Join(dir, "secrets", "*"))
	if err != nil || len(secrets) < 5 {
		t.Fatalf("%d secrets, %v", len(secrets), err)
	}
	for i, m := range ms {
		seen := look(m, "sudo docker ps -q | xargs sudo docker inspect; for c in $(sudo docker ps -q); do sudo "+
			"docker logs $c 2>&1; done; ps axww; sudo sh -c 'tr \\\\0 \\\\n </proc/[0-9]*/environ' 2>/dev/null || :")
		for _, file := range secrets {
			secret, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(seen, string(secret)) || strings.Contains(all, string(secret)) {
				t.Errorf("%s: the secret %s is seen", ms[i].Name, filepath.Base(file))
			}
		}
	}

	// A reboot of the machine with the servers: what Docker restarts needs nothing from us.
	if err := ms[1].Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	look(ms[1], "sudo docker rm -f gitea-gitea-1")
	if out, err = run("apply", "--yes"); err != nil {
		t.Fatalf("after a reboot: %v\n%s", err, out)
	}
	if out, err = run("plan"); err != nil {
		t.Fatalf("the plan after the repair: %v\n%s", err, out)
	}
	if got := query("gitea", "SELECT count(*) FROM action_runner"); got != "2" {
		t.Errorf("%s runners after the repair", got)
	}
}
