package cloudflare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
)

// S3Credentials are for the S3 API of R2.
type S3Credentials struct {
	AccessKeyID     string
	SecretAccessKey lab.Secret
	Endpoint        string // "https://ACCOUNT.eu.r2.cloudflarestorage.com"; its region is "auto"
}

// S3 returns the credentials that follow from a token: its ID, and the hash of its value
// (developers.cloudflare.com/r2/api/tokens). The token needs a permission on the bucket, such as "Workers R2 Storage Bucket
// Item Write". jurisdiction is that of the bucket; empty means default.
func S3(account, tokenID string, value lab.Secret, jurisdiction string) S3Credentials {
	host := account
	if jurisdiction != "" && jurisdiction != defaultJurisdiction {
		host += "." + jurisdiction
	}
	sum := sha256.Sum256([]byte(value.Reveal()))
	return S3Credentials{AccessKeyID: tokenID, SecretAccessKey: lab.NewSecret(hex.EncodeToString(sum[:])),
		Endpoint: "https://" + host + ".r2.cloudflarestorage.com"}
}

// beside returns what is kept in the entry of a token beside its value, by the name of the field.
func (r *run) beside(ctx context.Context, w Token, id string) (map[string]lab.Secret, error) {
	all := map[string]lab.Secret{"account_id": lab.NewSecret(r.account.ID)}
	if w.S3 {
		value, err := r.spec.Sink.Get(ctx, w.SecretName())
		if err != nil {
			return nil, err
		}
		c := S3(r.account.ID, id, value, "")
		all["access_key_id"], all["secret_access_key"] = lab.NewSecret(c.AccessKeyID), c.SecretAccessKey
	}
	return all, nil
}

// differKept returns why something in the entry of a token is not as it should be, by the name of the field.
func (r *run) differKept(ctx context.Context, w Token, id string) (map[string]string, error) {
	all, err := r.beside(ctx, w, id)
	if err != nil {
		return nil, err
	}
	return r.differIn(ctx, w.entry(), all)
}

func (r *run) keep(ctx context.Context, w Token, id string) error {
	all, err := r.beside(ctx, w, id)
	if err != nil {
		return err
	}
	return r.keepAll(ctx, w.entry(), all)
}

// differIn returns why the fields of an entry are not as they should be.
func (r *run) differIn(ctx context.Context, entry string, all map[string]lab.Secret) (map[string]string, error) {
	differ := map[string]string{}
	for name, want := range all {
		has, err := r.spec.Sink.Get(ctx, credential.Field(entry, name))
		switch {
		case errors.Is(err, lab.ErrNotFound):
			differ[name] = "is not"
		case err != nil:
			return nil, err
		case !has.Equal(want):
			differ[name] = "differs"
		}
	}
	return differ, nil
}

// keepAll keeps the fields of an entry in the sink, in the place of what it has.
func (r *run) keepAll(ctx context.Context, entry string, all map[string]lab.Secret) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := credential.Keep(ctx, r.spec.Sink, credential.Field(entry, name), all[name]); err != nil {
			return err
		}
	}
	return nil
}
