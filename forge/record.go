package forge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
)

// recordPrefix begins the names of the variables of a repository that say which of its webhooks and push mirrors are ours,
// and what their secrets are: they themselves have room for neither.
const recordPrefix = "LAB_RECORD_"

// recordName is the name of the variable with the record of an object.
func recordName(kind, key string) string {
	sum := sha256.Sum256([]byte(kind + ":" + key))
	return recordPrefix + strings.ToUpper(hex.EncodeToString(sum[:8]))
}

// recordsOf returns the records of objects of a kind in a repository, by the keys of the objects.
func (r *run) recordsOf(ctx context.Context, repository, kind string) (records map[string]string, err error) {
	variables, err := r.listVariables(ctx, scope{kind: "repository", name: repository})
	records = map[string]string{}
	for _, v := range variables {
		if m, ok := mark.Parse(v.Value); ok && m.Kind == kind && strings.HasPrefix(m.Name, repository+":") && v.Name == recordName(kind, m.Name) {
			records[m.Name] = v.Value
		}
	}
	return records, err
}

func (r *run) putRecord(ctx context.Context, repository, kind, key, record string) error {
	return r.putVariable(ctx, scope{kind: "repository", name: repository}, recordName(kind, key), record, "of the "+kind+" "+key)
}

func (r *run) deleteRecord(ctx context.Context, repository, kind, key string) error {
	return r.deleteVariable(ctx, scope{kind: "repository", name: repository}, recordName(kind, key))
}
