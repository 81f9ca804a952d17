package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
)

func TestPostgresGuard(t *testing.T) {
	v := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for name, test := range map[string]struct {
		major int
		facts clusterFacts
		want  string // empty: it may start
	}{
		"first time":              {17, clusterFacts{empty: true}, ""},
		"first time, 18":          {18, clusterFacts{empty: true}, ""},
		"same, old layout":        {17, clusterFacts{versions: v("PG_VERSION", "17"), ran: true}, ""},
		"same, new layout":        {18, clusterFacts{versions: v("18/docker/PG_VERSION", "18"), ran: true}, ""},
		"never ran, data brought": {16, clusterFacts{versions: v("PG_VERSION", "16")}, ""},
		"image is newer": {17, clusterFacts{versions: v("PG_VERSION", "16"), ran: true},
			"the data is of PostgreSQL 16, the image of 17"},
		"image is older": {16, clusterFacts{versions: v("PG_VERSION", "17"), ran: true},
			"the data is of PostgreSQL 17, the image of 16"},
		"newer, old layout": {18, clusterFacts{versions: v("PG_VERSION", "17"), ran: true},
			"the data is of PostgreSQL 17, the image of 18"},
		"newer, both in new layout": {19, clusterFacts{versions: v("18/docker/PG_VERSION", "18"), ran: true},
			"the data is of PostgreSQL 18, the image of 19"},
		"older, new layout": {17, clusterFacts{versions: v("18/docker/PG_VERSION", "18"), ran: true},
			"the data is of PostgreSQL 18, the image of 17"},
		"18 in the old layout": {18, clusterFacts{versions: v("PG_VERSION", "18"), ran: true},
			"does not look for it"},
		"18 in data": {18, clusterFacts{versions: v("data/PG_VERSION", "18"), ran: true},
			"does not look for it"},
		"17 in the new layout": {17, clusterFacts{versions: v("17/docker/PG_VERSION", "17"), ran: true},
			"does not look for it"},
		"two clusters": {18,
			clusterFacts{versions: v("PG_VERSION", "17", "18/docker/PG_VERSION", "18"), ran: true},
			"it holds 2 clusters"},
		"two of the same": {17, clusterFacts{versions: v("PG_VERSION", "17", "data/PG_VERSION", "17")},
			"it holds 2 clusters"},
		"disk not mounted": {17, clusterFacts{empty: true, ran: true},
			"it is empty, and the stack ran before"},
		"disk not mounted, 18": {18, clusterFacts{empty: true, ran: true},
			"it is empty, and the stack ran before"},
		"something else":      {17, clusterFacts{}, "no cluster"},
		"something else, ran": {17, clusterFacts{ran: true}, "no cluster"},
		"a version that is no number": {17, clusterFacts{versions: v("PG_VERSION", "x\x1b")},
			"the data is of PostgreSQL"},
	} {
		err := postgresGuard{name: "postgres", data: "/data", major: test.major}.judge(test.facts)
		switch {
		case test.want == "" && err != nil, test.want != "" &&
			(!errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v", name, err)
		case err != nil && len(lab.Hints(err)) == 0:
			t.Errorf("%s: it does not say what to do", name)
		}
	}
}

func TestPostgresAlone(t *testing.T) {
	c := func(project, status, source, target string) compose.Container {
		return compose.Container{Name: "x", Status: status,
			Labels: map[string]string{"com.docker.compose.project": project},
			Mounts: []compose.Mount{{Type: "bind", Source: source, Destination: target}}}
	}
	const target = "/var/lib/postgresql/data"
	for name, test := range map[string]struct {
		c       compose.Container
		refused bool
	}{
		"its own":          {c("pg", "running", "/srv/pg", target), false},
		"another":          {c("old", "running", "/srv/pg", target), true},
		"starts again":     {c("old", "restarting", "/srv/pg", target), true},
		"ended":            {c("old", "exited", "/srv/pg", target), false},
		"a part":           {c("old", "running", "/srv/pg/18", target), true},
		"the folder above": {c("old", "running", "/srv", "/var/lib/postgresql"), true},
		"the whole disk":   {c("monitor", "running", "/", "/host"), false},
		"beside":           {c("old", "running", "/srv/pg2", target), false},
	} {
		err := postgresGuard{name: "pg", data: "/srv/pg"}.alone([]compose.Container{test.c})
		if errors.Is(err, lab.ErrRefused) != test.refused || err != nil && len(lab.Hints(err)) == 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestGiteaGuard(t *testing.T) {
	for _, test := range []struct {
		version string
		had     []string
		refused bool
	}{
		{"1.25.2", nil, false},
		{"1.25.2", []string{"gitea 1.25.2"}, false},
		{"1.25.10", []string{"gitea 1.25.9"}, false},
		{"1.26.0", []string{"gitea 1.25.9", "gitea 1.24.0"}, false},
		{"1.25.9", []string{"gitea 1.25.10"}, true},
		{"1.25.9", []string{"gitea 1.24.0", "gitea 1.26.0"}, true},
		{"1.25.9", []string{"postgres 17"}, false},
	} {
		err := giteaGuard{name: "gitea", version: test.version}.judge(test.had)
		if errors.Is(err, lab.ErrRefused) != test.refused || !test.refused && err != nil {
			t.Errorf("%s after %v: got %v", test.version, test.had, err)
		}
	}
}

func TestAppIni(t *testing.T) {
	ini := readIni("APP_NAME = Gitea: with = signs\n; comment\n[server]\nROOT_URL = " +
		"https://x/\n[cron.update_checker]\nENABLED=false\n[mailer]\nPASSWD = `a;b`\n[Server]\nEXTRA = 1\n")
	want := map[iniKey]string{{"default", "APP_NAME"}: "Gitea: with = signs", {"server", "ROOT_URL"}: "https://x/",
		{"cron.update_checker", "ENABLED"}: "false", {"mailer", "PASSWD"}: "a;b", {"server", "EXTRA"}: "1"}
	if !reflect.DeepEqual(ini, want) {
		t.Errorf("got %v", ini)
	}
	before := map[string]string{"GITEA__server__ROOT_URL": "https://x/",
		"GITEA__cron_0X2E_update_checker__ENABLED": "false", "GITEA__mailer__PASSWD__FILE": "/run/secrets/x",
		"GITEA__gone__KEY": "1", "OTHER": "x"}
	if got := words(leftovers(ini, before,
		map[string]string{"GITEA__server__ROOT_URL": "https://y/"})); got != "cron.update_checker.ENABLED, mailer.PASSWD" {
		t.Errorf("leftovers: %s", got)
	}
	if got := words(drift(ini, before)); got != "gone.KEY" {
		t.Errorf("drift: %s", got)
	}
	// as Gitea 1.26 wrote them, of what is before the colon
	for written, want := range map[string]string{"`a#b;c`": "a#b;c", `"""a` + "`" + `b"""`: "a`b",
		`""" 'x' ` + "`" + ` """`: " 'x' ` ", `" a "`: " a ", `"x`: `"x`, `"a" and "b"`: `"a" and "b"`, `a\`: `a\`,
		"true ; by hand": "true", "'x'": "x", "`": "`", "": ""} {
		if got := iniValue(written); got != want {
			t.Errorf("%s is read as %q", written, got)
		}
	}
	for v, want := range map[string]bool{"": true, "a": true, `"`: true, `"a" and "b"`: true, "it's": true, "a;b": true,
		`"a"`: false, "'a'": false, "a\nb": false} {
		if survivesIni(v) != want {
			t.Errorf("%q survives: %v", v, !want)
		}
	}
	if v := giteaVariable("DEFAULT.APP_NAME"); v != "GITEA____APP_NAME" {
		t.Errorf("the variable of APP_NAME is %s", v)
	} else if k, ok := iniKeyOf(v); !ok || k != (iniKey{"default", "APP_NAME"}) {
		t.Errorf("%s: got %v", v, k)
	}
	for section, key := range map[string]string{"server": "ROOT_URL", "cron.update_checker": "ENABLED",
		"repository.pull-request": "X"} {
		if k, ok := iniKeyOf(giteaVariable(section + "." + key)); !ok || k != (iniKey{section, key}) {
			t.Errorf("%s.%s: got %v", section, key, k)
		}
	}
}

func FuzzReadIni(f *testing.F) {
	f.Add("[a]\nb = c\n")
	f.Add("[\n=\n`\n")
	f.Fuzz(func(t *testing.T, s string) {
		for k := range readIni(s) {
			if strings.ContainsAny(k.key, "=\n") {
				t.Errorf("%q", k)
			}
		}
	})
}

func TestVerifier(t *testing.T) {
	// made by PostgreSQL 17: CREATE ROLE x PASSWORD 'pencil' with a salt of its own would differ;
	// RFC 7677, section 3, has this one
	const known = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" +
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if !verifies(known, lab.NewSecret("pencil")) || verifies(known, lab.NewSecret("pencils")) {
		t.Error("the verifier of RFC 7677")
	}
	v := verifier("web", lab.NewSecret("pw"))
	if !verifies(v, lab.NewSecret("pw")) || v != verifier("web", lab.NewSecret("pw")) || v == verifier("www", lab.NewSecret("pw")) {
		t.Error(v)
	}
	for _, bad := range []string{"", "-", "md5abc", "SCRAM-SHA-256$x:y$z:w", "SCRAM-SHA-256$99999999999:AAAA$z:w",
		"SCRAM-SHA-256$0:AAAA$:"} {
		if verifies(bad, lab.NewSecret("")) {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzVerifies(f *testing.F) {
	f.Add("SCRAM-SHA-256$1:AAAA$z:w")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 60 && verifies(s, lab.NewSecret("x")) {
			t.Error(s)
		}
	})
}

func TestChangedSettings(t *testing.T) {
	got := changedSettings("# x = 1\na = '1'\nb = '2'\nC = '3'\n", "a = '1'\nb = '4'\nd = '5'\nc = '3'\n")
	if !reflect.DeepEqual(got, []string{"b", "d"}) {
		t.Errorf("got %v", got)
	}
}

// TestRunnerScript runs the script with a runner that only says where it goes.
func TestRunnerScript(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("gitea-runner", `#!/bin/sh
case $1 in
register) read -r token; printf '{\n  "token": "%s",\n  "address": "%s"\n}\n' "$token" "$5" >.runner;;
daemon) cat .runner;;
esac
`, 0o755)
	write("token", "hidden", 0o600)
	run := func(url string) string {
		t.Helper()
		c := exec.Command("sh", "-c", strings.Replace(runScript, "cd /data ", "cd "+dir+" ", 1))
		c.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "CONFIG_FILE=config.yaml", "GITEA_RUNNER_NAME=pi1",
			"GITEA_RUNNER_REGISTRATION_TOKEN_FILE=token", "GITEA_INSTANCE_URL=" + url}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	const registration = "{\n  \"token\": \"hidden\",\n  \"address\": \"%s\"\n}\n"
	for _, url := range []string{"https://git.example.test/", "https://git.example.test/", "http://192.0.2.1:3000/"} {
		if got := run(url); got != fmt.Sprintf(registration, url) {
			t.Errorf("%s:\n%s", url, got)
		}
	}
	write("token", "another", 0o600)
	write(".runner", "", 0o600)
	if got := run("https://x/"); !strings.Contains(got, "another") {
		t.Errorf("a registration that was not written whole:\n%s", got)
	}
	if st, err := os.Stat(filepath.Join(dir, ".runner")); err != nil || st.Size() == 0 {
		t.Error(err)
	}
}
