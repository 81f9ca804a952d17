package real_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestDocker(t *testing.T) {
	d := real.Docker(t)
	api := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.Socket)
	}}}
	resp, err := api.Get("http://docker/_ping")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "OK" {
		t.Errorf("the engine's socket: got %q, %v", b, err)
	}

	d.ImportBusybox(t, "busybox:1.36", "images.example.test/busybox:1")
	if got := must(t, d.Machine, "sudo docker run --rm images.example.test/busybox:1 echo hello"); got != "hello" {
		t.Errorf("busybox: got %q", got)
	}

	d.ImportPostgres(t, 15, "postgres:15")
	d.ImportPostgres(t, 17, "postgres:17")
	const stack = `
services:
  old:
    image: postgres:15
    environment: {POSTGRES_PASSWORD: plain}
    healthcheck: &answers {test: [CMD, pg_isready, -U, postgres, -h, 127.0.0.1], interval: 1s, retries: 600}
  new:
    image: postgres:17
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/pw, POSTGRES_DB: shop, PGDATA: /var/lib/postgresql/data/pgdata}
    secrets: [pw]
    ports: ["5432:5432"]
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: *answers
secrets: {pw: {file: ./pw}}
volumes: {data: }
`
	must(t, d.Machine, "mkdir stack && cd stack && printf hidden > pw && cat > compose.yaml <<'END'\n"+stack+"END\n"+
		"sudo docker compose up -d --wait --quiet-pull")
	dsn := fmt.Sprintf("postgres://postgres:hidden@%s:5432/shop?sslmode=disable", d.Host)
	if got, err := query(t, dsn, "SELECT current_setting('server_version_num')"); err != nil || got[:2] != "17" {
		t.Errorf("through the published port: got %q, %v", got, err)
	}
	got := must(t, d.Machine, "cd stack && sudo docker compose exec -T old psql -U postgres -Atc 'SHOW server_version'")
	if got[:2] != "15" {
		t.Errorf("psql in the container: got %q", got)
	}
	if err := d.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, d.Machine, "cd stack && sudo docker compose up -d --wait && sudo docker compose down -v")
}
