package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host/dns/dnstest"
	"gitea.arcodange.lab/arcodange-org/lab/host/docker/dockertest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"machine": main})
}

// TestScript runs the program against three machines in this process, see [programtest.Machines].
// The second one is in a LAN, at 192.168.1.202, and can run a Pi-hole of the image $PIHOLE.
// The file wrong_hosts has a wrong host key for the second.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": programtest.Expand},
		Setup: func(env *testscript.Env) error {
			ms, err := programtest.Machines(env, make([]hosttest.Config, 3)...)
			if err != nil {
				return err
			}
			if err := lan(env, ms[1]); err != nil {
				return err
			}
			wrong := knownhosts.Line([]string{ms[1].Addr()}, ms[0].HostKey()) + "\n"
			return os.WriteFile(filepath.Join(env.WorkDir, "wrong_hosts"), []byte(wrong), 0o600)
		},
	})
}

// lan puts the machine into a LAN with a Docker that can pull the image $PIHOLE.
func lan(env *testscript.Env, box *hosttest.Machine) error {
	net := dnstest.Start()
	env.Defer(func() { net.Close() })
	const image = "pihole/pihole:2025.08.0"
	dockertest.Install(box)
	d := composetest.Install(box, composetest.Config{Registry: []composetest.Image{{Name: image}}, Programs: net.Programs()})
	env.Setenv("PIHOLE", image+"@"+d.Lock(image)[image].Digest)
	_, err := net.Place(box, d, netip.MustParseAddr("192.168.1.202"))
	return err
}
