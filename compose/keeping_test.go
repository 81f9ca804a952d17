package compose_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
)

// keeping are cases of what a stack's files and labels hold, on the fake and on a real engine.
func keeping(t *testing.T, fresh func(*testing.T) subject) {
	t.Helper()
	t.Run("labels let nobody guess a secret", func(t *testing.T) {
		s, f := fresh(t), newShop(t)
		stack := s.load(t, f)
		s.apply(t, stack)
		const inspect = `docker inspect --type container --format '{{json .}}' $(docker ps -aq --no-trunc)`
		seen := s.look(t, inspect)
		for _, guess := range []string{secret, "secrets/pw\x00" + secret, "pw\x00" + secret, secret + "\n"} {
			for _, key := range []string{"", "secret", "shop", strings.Repeat("0", 64)} {
				if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(key+guess))); strings.Contains(seen, sum[:12]) {
					t.Errorf("a label holds a hash of %q", key+guess)
				}
			}
		}
		if got := s.look(t, "stat -c '%a %U %s' /opt/stacks/shop/.lab-salt"); got != "600 root 65" {
			t.Errorf("the salt is %s", got)
		}
		salt := s.look(t, "cat /opt/stacks/shop/.lab-salt")
		if strings.Contains(seen, salt) || strings.Contains(s.look(t, "cat /opt/stacks/shop/compose.yaml"), salt) {
			t.Error("others may read the salt")
		}
		if p := s.plan(t, s.load(t, f)); !p.Empty() { // loaded once more
			t.Errorf("the salt changes:\n%s", p)
		}
		for _, spoil := range []string{"rm /opt/stacks/shop/.lab-salt", "chmod 644 /opt/stacks/shop/.lab-salt",
			"echo x >/opt/stacks/shop/.lab-salt"} {
			s.look(t, spoil)
			stack := s.load(t, f) // which has another salt for a machine without one
			p := s.plan(t, stack)
			if got := changes(p); !slices.Equal(got, []string{"replace db"}) ||
				!strings.Contains(p.String(), "whether the content of secrets/pw differs is not known, since .lab-salt is not the one") {
				t.Errorf("%s: %v\n%s", spoil, got, p)
			}
			s.apply(t, stack)
			if again := s.look(t, "cat /opt/stacks/shop/.lab-salt"); again == salt || len(again) != 64 {
				t.Errorf("%s: the salt is %d characters, and the old one: %t", spoil, len(again), again == salt)
			} else {
				salt = again
			}
		}
	})
	t.Run("files that the service takes", func(t *testing.T) {
		s, dir := fresh(t), t.TempDir()
		writeFile(t, dir, "compose.yaml", `services: {a: {image: "busybox:1.36", command: [sh, -c, "chown 999:998 `+
			`/data/a.ini /b.ini; chmod 640 /b.ini; exec sleep 100000"], init: true, restart: always, volumes: ["./data:/data", `+
			`"./b.ini:/b.ini", "./c.ini:/c.ini:ro"]}}`)
		for _, name := range []string{"data/a.ini", "b.ini", "c.ini"} {
			writeFile(t, dir, name, "one\n")
		}
		load := func() compose.Stack {
			t.Helper()
			stack, err := compose.Load(t.Context(), compose.Source{Name: "own", Dir: dir, Lock: s.lock})
			if err != nil {
				t.Fatal(err)
			}
			return stack
		}
		p := s.plan(t, load())
		if _, err := p.Apply(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		const stat = "cd /opt/stacks/own; stat -c '%u:%g %a' data/a.ini b.ini c.ini | tr '\\n' ' '; cat b.ini"
		if s.fake != nil { // whose containers run nothing
			s.look(t, "cd /opt/stacks/own; chown 999:998 data/a.ini b.ini; chmod 640 b.ini")
		}
		if p := s.plan(t, load()); !p.Empty() {
			t.Errorf("what the service took is to be set back:\n%s", p)
		}
		writeFile(t, dir, "b.ini", "two\n")
		s.apply(t, load())
		if got := s.look(t, stat); got != "999:998 644 999:998 640 0:0 644 two" {
			t.Errorf("the files are %s", got)
		}
		s.look(t, "chown 7 /opt/stacks/own/c.ini")
		if p := s.plan(t, load()); p.Empty() || strings.Contains(p.String(), "b.ini") {
			t.Errorf("the plan:\n%s", p)
		}
	})
	t.Run("a seccomp profile", func(t *testing.T) {
		s, dir := fresh(t), t.TempDir()
		writeFile(t, dir, "compose.yaml", `services: {a: {image: "busybox:1.36", command: [sleep, "100000"], init: true, `+
			`restart: always, security_opt: ["seccomp:./allow.json"]}, b: {image: "busybox:1.36", command: [sleep, "100000"], `+
			`init: true, restart: always}}`)
		writeFile(t, dir, "allow.json", `{"defaultAction": "SCMP_ACT_ALLOW"}`)
		load := func() compose.Stack {
			t.Helper()
			stack, err := compose.Load(t.Context(), compose.Source{Name: "own", Dir: dir, Lock: s.lock})
			if err != nil {
				t.Fatal(err)
			}
			return stack
		}
		s.apply(t, load())
		writeFile(t, dir, "allow.json", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}`)
		if p := s.plan(t, load()); !slices.Equal(changes(p), []string{"replace a"}) || !strings.Contains(p.String(),
			"the content of allow.json differs") {
			t.Errorf("the plan:\n%s", p)
		}
		s.apply(t, load())
	})
	t.Run("a service that ends later", func(t *testing.T) {
		s := fresh(t)
		for _, policy := range []string{"always", "on-failure"} {
			stack := s.content(t, "later", `services: {a: {image: "busybox:1.36", command: [sh, -c, "echo no table; sleep 8; `+
				`exit 1"], init: true, restart: `+policy+`}, b: {image: "busybox:1.36", command: [sleep, "100000"], init: true, `+
				`restart: always, depends_on: [a]}}`)
			if s.fake != nil {
				s.fake.Crash("a", 9)
			}
			if _, err := s.plan(t, stack).Apply(t.Context(), nil); err != nil {
				continue // it was seen in time
			}
			p := s.plan(t, stack)
			for n := 0; n < 120 && p.Empty(); n++ {
				s.look(t, "sleep 1")
				p = s.plan(t, stack)
			}
			if !slices.Contains(changes(p), "run a") {
				t.Errorf("%s: it ends over and over, and no plan says so:\n%s", policy, p)
				continue
			}
			_, err := p.Apply(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), "service a ") {
				t.Errorf("%s: it was watched for longer, and counts as healthy: %v", policy, err)
			}
		}
	})
	t.Run("secrets in what is logged", func(t *testing.T) {
		s := fresh(t)
		long := "pass phrase of many words " + strings.Repeat("x y ", 10) + "end"
		dir := t.TempDir()
		writeFile(t, dir, "pw", long)
		script := `for i in 280 290 299 500; do printf %0$${i}d 0; cat /run/secrets/pw; echo; done; exit 1`
		writeFile(t, dir, "compose.yaml", `services: {a: {image: "busybox:1.36", command: [sh, -c, "`+script+`"], init: true, restart: "no", secrets: [pw]}}
secrets: {pw: {file: pw}}`)
		stack, err := compose.Load(t.Context(), compose.Source{Name: "said", Dir: dir, Lock: s.lock})
		if err != nil {
			t.Fatal(err)
		}
		if s.fake != nil {
			s.fake.Exit("a", 1)
			s.fake.Say("a", strings.Repeat("0", 280)+long, strings.Repeat("0", 299)+long, strings.Repeat("x", 5000)+long)
		}
		_, err = s.plan(t, stack).Apply(t.Context(), nil)
		if err == nil || strings.Contains(err.Error(), long[:12]) || !strings.Contains(err.Error(), "(secret)") {
			t.Errorf("got %v", err)
		}
		s.look(t, "touch /opt/stacks/said/secrets/empty")
		text, err := compose.Logs(t.Context(), s.machine, "said", "/opt/stacks/said", 3)
		if err != nil || strings.Contains(text, long[:12]) || !strings.Contains(text, "(secret)") || !strings.HasPrefix(text, "== said-a-1") {
			t.Errorf("the logs: %v\n%s", err, text)
		}
	})
}

func TestKeepingFake(t *testing.T) {
	keeping(t, func(t *testing.T) subject {
		s, _ := newFake(t, composetest.Config{})
		return s
	})
}

// TestLoadLock loads a folder with the lock that lies beside its compose.yaml, and one that has none.
func TestLoadLock(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "compose.yaml", "name: x\nservices: {a: {image: 'busybox:1.36'}}")
	if _, err := compose.Load(t.Context(), compose.Source{Dir: dir}); err == nil || !strings.Contains(err.Error(), "is not pinned") {
		t.Errorf("without a lock: %v", err)
	}
	file := writeFile(t, dir, compose.LockFile, string(compose.Lock{"busybox:1.36": {ID: id}}.Format()))
	stack, err := compose.Load(t.Context(), compose.Source{Dir: dir})
	if err != nil || stack.Image("a") != id {
		t.Errorf("beside it: %v, %s", err, stack.Image("a"))
	}
	other := "sha256:" + strings.Repeat("1", 64)
	if stack, err := compose.Load(t.Context(), compose.Source{Dir: dir,
		Lock: compose.Lock{"busybox:1.36": {ID: other}}}); err != nil || stack.Image("a") != other {
		t.Errorf("one that is passed: %v", err)
	}
	writeFile(t, dir, compose.LockFile, "images: [")
	if _, err := compose.Load(t.Context(), compose.Source{Dir: dir}); err == nil || !strings.Contains(err.Error(), compose.LockFile) {
		t.Errorf("one that cannot be read: %v", err)
	}
	if err := os.Remove(file); err != nil || filepath.Base(file) != "compose.lock.yaml" {
		t.Error(err)
	}
}
