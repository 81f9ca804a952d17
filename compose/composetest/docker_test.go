package composetest_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestUnknown is what the fake does not know: it must not look like a success.
func TestUnknown(t *testing.T) {
	box := hosttest.New(t, hosttest.Config{})
	composetest.Install(box, composetest.Config{Images: []composetest.Image{{Name: "a:1"}}})
	if err := box.FS().WriteFile("/opt/x/compose.yaml",
		[]byte("name: x\nservices: {a: {image: 'a:1'}, b: {image: 'b:1'}}\n")); err != nil {
		t.Fatal(err)
	}
	const up = "docker compose --progress quiet -p x --project-directory /opt/x -f /opt/x/compose.yaml --env-file /dev/null up -d "
	for _, script := range []string{
		"docker", "docker swarm init", "docker ps --size", "docker ps --filter name=x", "docker version --short",
		"docker image prune", "docker volume create x", "docker network inspect x", "docker inspect x",
		"docker inspect --type container --format '{{.ID}}' nobody", "docker exec nobody true",
		"docker run busybox true", "docker pull a:1", "docker pull -q nothing:1", "docker logs nobody",
		"docker rm nobody", "docker compose up", "docker compose --progress tty version", "docker volume rm -- x",
		"docker network rm -- x", up, up + "--pull always", up + "--no-deps --no-build --pull never -- nobody",
		up + "--no-deps --no-build --pull never -- b", up + "--wait --pull never",
	} {
		if out, err := box.Exec(script); err == nil {
			t.Errorf("%s: a success: %s", script, out)
		}
	}
	if _, err := box.Exec(up + "--no-deps --no-build --pull never -- a"); err != nil {
		t.Error(err)
	}
	if out, err := box.Exec("docker ps -a --no-trunc --format '{{.Names}} {{.Status}}'"); err != nil ||
		strings.TrimSpace(out) != "x-a-1 exited" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestReset has every fault that a test may ask for, and then none.
func TestReset(t *testing.T) {
	box := hosttest.New(t, hosttest.Config{})
	d := composetest.Install(box, composetest.Config{Registry: []composetest.Image{{Name: "a:1"}}})
	const model = "name: x\nservices: {a: {image: 'a:1', restart: always, healthcheck: {test: [CMD, 'true']}}}\n"
	if err := box.FS().WriteFile("/opt/x/compose.yaml", []byte(model)); err != nil {
		t.Fatal(err)
	}
	const pull, up = "docker pull -q a:1", "docker compose --progress quiet -p x --project-directory /opt/x " +
		"-f /opt/x/compose.yaml --env-file /dev/null up -d --no-deps --no-build --pull never --force-recreate -- a"
	const look = "docker inspect --type container --format '{{.State.Status}} {{.State.Health.Status}}' x-a-1"
	d.PowerCutAtChange(100)
	d.FailPull("a:1", true)
	d.FailStart("a", "no")
	d.Stop(true)
	if _, err := box.Exec("docker version"); err == nil {
		t.Error("a stopped engine answers")
	}
	d.Stop(false)
	for _, script := range []string{pull, up} {
		if _, err := box.Exec(script); err == nil {
			t.Errorf("%s: a success, with a fault", script)
		}
	}
	d.Exit("a", 1)
	d.Crash("a", 1)
	d.Unhealthy("a", true)
	d.Fail("a", func(*composetest.Container) bool { return true })
	d.Stop(true)
	d.Reset()
	for _, script := range []string{pull, up, look} {
		if out, err := box.Exec(script); err != nil {
			t.Errorf("%s: %s, %v", script, out, err)
		}
	}
	if out, err := box.Exec(look); err != nil || strings.TrimSpace(out) != "running healthy" {
		t.Errorf("%q, %v", out, err)
	}
	if n := d.Counters().Changes; n == 0 || n > 10 {
		t.Errorf("%d changes", n)
	}
}
