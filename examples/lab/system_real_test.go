package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// systemConfig is stage 01_system of three real machines: name servers on pi1 and pi3, a certificate authority on all. The
// name of the Internet is answered by the name servers themselves, since nothing is reached there.
const systemConfig = `environment: test
domain: arcodange.lab
boundary: {allow: [%[1]s/32, %[2]s/32, %[3]s/32]}
ssh: {user: pi, identities: [%[4]s], knownHosts: [known_hosts]}
inventory:
  hosts:
    pi1: {address: %[1]s}
    pi2: {address: %[2]s}
    pi3: {address: %[3]s}
  groups:
    raspberries: {hosts: [pi1, pi2, pi3]}
    pihole: {hosts: [pi1, pi3]}
system:
  timezone: Europe/Paris
  journal: {disk: 64M}
docker:
  on: raspberries
  package: docker.io
dns:
  on: pihole
  image: pihole/pihole:2025.08.0
  upstreams: [192.0.2.1, 192.0.2.2]
  outside: example.org
  lines: ["host-record=example.org,203.0.113.7"]
  wildcards: [{zone: arcodange.lab, address: %[1]s}]
stepca:
  on: raspberries
  domain: arcodange.lab
  primary: pi1
  wildcards: true
  step: {url: "file://%[5]s", sha256: %[6]s}
  stepCA: {url: "file://%[7]s", sha256: %[8]s}
stacks:
  secrets: secrets
`

// TestRealSystem converges stage 01_system on three real machines, looks at it from each of them, and reboots them.
func TestRealSystem(t *testing.T) {
	const image = "pihole/pihole:2025.08.0"
	ms := real.Machines(t, 3)
	dir := t.TempDir()
	var step, server real.SmallstepProgram
	var known strings.Builder
	for _, m := range ms {
		known.WriteString(m.KnownHosts() + "\n")
		m.InstallDocker(t)
		step, server = m.StepCA(t)
	}
	look := func(m *real.Machine, command string) string { t.Helper(); return lookAt(t, m, command) }
	ms[0].ImportPiHoleStandIn(t, image)
	copyImage(t, image, ms[0], ms[2])
	lock := pin(t, ms[0], image)
	for name, content := range map[string]string{"known_hosts": known.String(), compose.LockFile: string(lock.Format()),
		"lab.yaml": fmt.Sprintf(systemConfig, ms[0].Host, ms[1].Host, ms[2].Host, ms[0].KeyFile, step.Path, step.SHA256,
			server.Path, server.SHA256)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		var out, problems bytes.Buffer
		err := cli.Run(t.Context(), program(), append(args, "--config", filepath.Join(dir, "lab.yaml"), "--env", "test"),
			&out, &problems)
		return out.String() + problems.String(), err
	}
	out, err := run("apply", "--yes")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "A second run finds nothing to do") {
		t.Errorf("the second run:\n%s", out)
	}
	seen := func(when string) {
		t.Helper()
		for _, m := range ms {
			if got := look(m, "getent ahostsv4 anything.arcodange.lab | head -n 1"); !strings.HasPrefix(got, ms[0].Host+" ") {
				t.Errorf("%s, %s: the name is %q", when, m.Name, got)
			}
			if got := look(m, "curl -fsS https://ca.arcodange.lab:9000/health"); !strings.Contains(got, `"status":"ok"`) {
				t.Errorf("%s, %s: the certificate authority says %q", when, m.Name, got)
			}
		}
	}
	seen("after the apply")
	for _, m := range ms {
		if err := m.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What Docker restarts needs nothing from us, but a while.
		if err := lab.Wait(t.Context(), lab.Poll{What: m.Name + " to be as wanted", Timeout: 3 * time.Minute},
			func(context.Context) (bool, error) {
				out, err = run("plan")
				return err == nil, nil
			}); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	seen("after the reboots")
}
