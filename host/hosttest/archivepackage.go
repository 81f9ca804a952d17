package hosttest

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/apt"

// A Package is one version of a Debian package in the archive that a machine's apt-get fetches from.
type Package struct {
	Name    string
	Version string
	Arch    string // empty means the machine's; "all"
	Depends string // as in a control file: "a, b (>= 1.0) | c"
	// Conflicts names packages, separated by commas, that cannot be installed beside this one.
	Conflicts string
	Provides  string // virtual packages, separated by commas
	// Source is a part of the URI of the sources that provide the package, such as "download.docker.com". Empty means
	// Debian's own.
	Source string

	Files     map[string]string // content by absolute path; a path that ends in a slash is a directory
	Conffiles map[string]string // configuration files, which dpkg does not replace once they were changed
	// Units are unit files by name. A unit with an [Install] section is enabled and started when the package is installed
	// for the first time, and restarted by an upgrade, unless Disabled names it.
	Units    map[string]string
	Disabled []string
	// Commands are executables by absolute path, or by name for /usr/bin. A nil Command stands for a program that only
	// Machine.Handle can give.
	Commands map[string]Command
	Users    []string // system users, each with its group
	Groups   []string // system groups
	Postinst string   // a shell script run as root when the package is configured, with the arguments of Debian Policy 6.5
	Prerm    string   // and before it is removed
}

// Deb gives the bytes of the package's .deb file, which dpkg and apt-get of a machine can install when the package is in
// its archive.
func (pk Package) Deb() []byte { return apt.Deb(pk.Name, pk.Version) }
