package vaultprov

import (
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Synced is how a VaultDynamicSecret or a VaultStaticSecret stands, from its status in Kubernetes.
type Synced struct {
	Name string // "erp/erp-database": its namespace and its name

	// Ready is the condition SecretSynced, or, in older versions of the operator that have none, whether there is a
	// lastRenewalTime.
	Ready bool

	// Lease is secretLease.id; empty for a static secret.
	Lease string

	// Renewed is lastRenewalTime, or the last transition of the condition.
	Renewed time.Time

	// Said is the message of the condition, or of the last event; empty if there is none.
	Said string
}

// CheckSynced examines whether the Vault Secrets Operator has come back after Vault was unsealed: all secrets are
// synced since, and each dynamic one has another lease than before. It reads nothing: before is what stood in
// Kubernetes before the operator was restarted, after is what stands there now. One that is in before alone is missed.
//
// What the operator does not do by itself: it keeps "Vault is sealed" as an error for static secrets
// (vault-secrets-operator issues 840 and 123), and a cached token with old policies after a 403 (issue 1185).
func CheckSynced(unsealed time.Time, before, after []Synced) []lab.Finding {
	const check = "secret from Vault"
	old := map[string]Synced{}
	for _, s := range before {
		old[s.Name] = s
	}
	var out []lab.Finding
	add := func(s Synced, v lab.Verdict, hint, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if s.Said != "" && v == lab.VerdictBad {
			text += ": " + oneLine(s.Said)
		}
		out = append(out, lab.Finding{Target: s.Name, Check: check, Verdict: v, Text: text, Hint: hint})
	}
	const restart = "kubectl rollout restart deployment/vault-secrets-operator-controller-manager, in its namespace"
	for _, s := range after {
		was, known := old[s.Name]
		delete(old, s.Name)
		switch {
		case !s.Ready:
			add(s, lab.VerdictBad, restart+"; if it says 403 then, delete its VaultAuth and apply it again",
				"it is not synced")
		case s.Renewed.Before(unsealed):
			add(s, lab.VerdictBad, restart, "it was synced at %s, and Vault was unsealed at %s", stamp(s.Renewed),
				stamp(unsealed))
		case s.Lease != "" && known && s.Lease == was.Lease:
			add(s, lab.VerdictWarning, "see whether Vault knows the lease: vault lease lookup",
				"it has the lease of before")
		default:
			add(s, lab.VerdictOK, "", "it was synced at %s", stamp(s.Renewed))
		}
	}
	for _, s := range before {
		if _, missed := old[s.Name]; missed {
			add(s, lab.VerdictBad, "apply its manifest again", "it is not there any more")
		}
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
