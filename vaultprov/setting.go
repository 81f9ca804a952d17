package vaultprov

import "gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"

// The settings that hints of this package name, see [lab.Setting].
const (
	SettingPlaintext = "vaultprov.plaintext" // that a server without TLS is taken, see [Server].Plaintext
	SettingCluster   = "vaultprov.cluster"   // which cluster it must be, see [Server].Cluster
	SettingToken     = "vaultprov.token"     // where the token comes from, see [Server].Token

	SettingMaxDeletes = reconcile.SettingMaxDeletes // how many objects a plan may remove, see [Spec].MaxDeletes
)
