package compose

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const someEngine = `engine 28.5.1
compose v2.40.3
container {"id":"c1","name":"/shop-db-1","image":"sha256:1","labels":{"com.docker.compose.project":"shop",` +
	`"com.docker.compose.service":"db","com.docker.compose.oneoff":"False"},"status":"running","exit":0,` +
	`"created":"2025-11-22T08:20:52.570099595Z","started":"2025-11-22T08:20:53Z","health":"healthy",` +
	`"restart":"unless-stopped","network":"shop_default","pid":"","ipc":"private",` +
	`"attached":{"shop_default":{"NetworkID":"n2","Gateway":""}}}
container {"id":"c2","name":"/shop-run-1","labels":{"com.docker.compose.project":"shop",` +
	`"com.docker.compose.oneoff":"True"},"status":"exited","created":"0001-01-01T00:00:00Z",` +
	`"started":"0001-01-01T00:00:00Z"}
image postgres 17.2 sha256:d1 sha256:i1
image busybox 1.36 <none> sha256:i2
network bridge n1   
network shop_default n2 shop default 0123
volume {"name":"shop_data","driver":"local","options":null,"labels":{"com.docker.compose.project":"shop"}}
end
`

func TestParseEngine(t *testing.T) {
	e, err := parseEngine([]byte(someEngine))
	if err != nil || e.Version != "28.5.1" || e.Compose != "2.40.3" || len(e.Containers) != 1 || len(e.Images) != 2 ||
		len(e.Networks) != 2 || len(e.Volumes) != 1 {
		t.Fatalf("%v %+v", err, e)
	}
	if c := e.Containers[0]; c.Name != "shop-db-1" || c.Project() != "shop" || c.Service() != "db" ||
		c.Health != "healthy" || c.Attached["shop_default"].NetworkID != e.Networks[1].ID {
		t.Errorf("%+v", c)
	}
	if e.Networks[0].Project != "" || e.Networks[1].Config != "0123" || e.Images[1].Digest != "" {
		t.Errorf("%+v", e)
	}
	if got := e.image("docker.io/library/postgres:17.2@sha256:d1"); got != "sha256:i1" {
		t.Errorf("by digest: %q", got)
	}
	for cut := range len(someEngine) - 1 {
		if e, err := parseEngine([]byte(someEngine[:cut])); err == nil && e.Missing == false && e.Problem == "" {
			t.Fatalf("cut off after %q: no error", someEngine[:cut])
		}
	}
}

func TestUsable(t *testing.T) {
	for out, want := range map[string]error{
		someEngine:                                       nil,
		"missing yes\n":                                  nil,
		"old yes\nmissing yes\n":                         nil,
		"engine 20.10.5\nend\n":                          lab.ErrRefused,
		"old yes\nengine 20.10.5\nend\n":                 lab.ErrRefused,
		"engine 20.10.5\ncompose 2.5.0\nend\n":           lab.ErrRefused,
		"engine 28\ncompose v2.20\nend\n":                nil,
		"engine 28\ncompose v5.0.1\nend\n":               nil,
		"problem Cannot connect to the\nDocker daemon\n": lab.ErrBlocked,
	} {
		e, err := parseEngine([]byte(out))
		if err == nil {
			err = e.usable()
		}
		if !errors.Is(err, want) || want != nil && len(lab.Hints(err)) == 0 {
			t.Errorf("%q: got %v", out, err)
		}
	}
}

func FuzzParseEngine(f *testing.F) {
	f.Add([]byte(someEngine))
	f.Add([]byte("problem x\ny\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEngine(b)
		if err == nil && !e.Missing && e.Problem == "" && !strings.Contains(string(b), "end") {
			t.Error("taken though it ends early")
		}
		_ = e.usable()
	})
}

func TestChangedFiles(t *testing.T) {
	for _, c := range []struct{ before, after, unknown, want string }{
		{"a:1 b:2", "a:1 b:3", "", "the content of b differs"},
		{"a:1", "", "", "the content of a differs"},
		{"", "x:y:1", "", "the content of x:y differs"},
		{"a:1 b:2", "b:2 a:1", "", "its files differ"},
		{"a:1 b:2", "b:3 a:2", "b", "the content of a differs; whether the content of b differs is not known, " +
			"since .lab-salt is not the one that the container was made with"},
	} {
		if got := changedFiles(readDigests(c.before), readDigests(c.after), strings.Fields(c.unknown)); got != c.want {
			t.Errorf("%q, %q: got %q", c.before, c.after, got)
		}
	}
}
