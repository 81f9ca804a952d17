package debian

import (
	"path"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/accounts"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/apt"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/netclient"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/posix"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/sh"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/sshd"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/utillinux"
)

// A release is what all machines have from Debian: the images of their file systems and the table of programs. It is built
// when the first machine starts and never changes.
type release struct {
	programs map[string]kernel.Program
	root     map[string]*kernel.Image // by architecture
	boot     *kernel.Image
}

// bookworm is the one release that there is.
var bookworm = sync.OnceValue(func() *release {
	r := &release{programs: map[string]kernel.Program{}, root: map[string]*kernel.Image{}}
	files := map[string]string{} // directory by name
	for _, family := range []map[string]kernel.Program{
		sh.Programs(), posix.Programs(), utillinux.Programs(), accounts.Programs(), systemd.Programs(), apt.Programs(), netclient.Programs(),
		sshd.Programs(),
	} {
		for file, run := range family {
			dir, name := path.Split(file)
			r.programs[name] = run
			files[name] = strings.TrimSuffix(dir, "/")
		}
	}
	for _, arch := range []string{"arm64", "amd64"} {
		r.root[arch] = rootImage(arch, files)
	}
	r.boot = bootImage()
	return r
})
