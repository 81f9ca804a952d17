package apt

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Programs are dpkg's and APT's, each below /usr/bin.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		"dpkg": cmdDpkg, "dpkg-query": cmdDpkgQuery, "dpkg-deb": cmdDpkgDeb,
		"apt-get": cmdAptGet, "apt": cmdAptGet, "apt-mark": cmdAptMark, "apt-cache": cmdAptCache, "apt-config": cmdAptConfig,
	}
}
