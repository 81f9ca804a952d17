package hosttest

import (
	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// Kernel is the machine's kernel.
func (m *Machine) Kernel() *kernel.Kernel { return m.kernel }

// NewSigner makes a key.
func NewSigner() (ssh.Signer, error) { return newSigner() }
