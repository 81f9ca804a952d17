package netclient

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Programs fetch what is served to the machine.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{"curl": cmdCurl, "wget": cmdWget}
}
