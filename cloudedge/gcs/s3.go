package gcs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// prove asks for a bucket with an HMAC key, in the way of S3. A HEAD would do the same, and not say why it is refused. The error wraps
// [lab.ErrUnauthorized] where the secret is not that of the key, and [lab.ErrNotFound] where the key is not known. That it may not
// see the bucket is no error: then it was accepted.
func (c *client) prove(ctx context.Context, bucket, id string, value lab.Secret) error {
	address := storageAddress + path(bucket) + "?max-keys=1"
	u, err := url.Parse(c.resolve(address))
	if err != nil {
		return c.fail("prove key", id, "", lab.ErrInvalid, "not an address")
	}
	resp, answer, err := c.do(ctx, c.http, http.MethodGet, address, signed(u, id, value, time.Now()), nil)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 == 2, resp.StatusCode == http.StatusNotFound: // the signature is looked at first
		return nil
	}
	var said struct {
		Code string `xml:"Code"`
	}
	_ = xml.Unmarshal(answer, &said)
	kind := kinds[resp.StatusCode]
	switch {
	case said.Code == "AccessDenied":
		return nil
	case said.Code == "InvalidAccessKeyId", said.Code == "InvalidSecurity":
		kind = lab.ErrNotFound
	case said.Code == "RequestTimeTooSkewed":
		kind = lab.ErrBlocked
	case resp.StatusCode/100 == 4 && said.Code == "":
		kind = lab.ErrUnreachable // a proxy
	}
	if kind == nil {
		kind = lab.ErrUnreachable
	}
	return c.fail("prove key", id, "", kind, fmt.Sprint(resp.StatusCode, " ", c.shown(said.Code)))
}

// emptyHash is the SHA-256 of nothing.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// signed returns the headers of a GET without a body that is signed with an HMAC key, as
// docs.cloud.google.com/storage/docs/migrating and AWS Signature Version 4 say.
func signed(u *url.URL, id string, value lab.Secret, now time.Time) http.Header {
	stamp := now.UTC().Format("20060102T150405Z")
	scope := stamp[:8] + "/auto/s3/aws4_request"
	request := "GET\n" + u.EscapedPath() + "\n" + u.Query().Encode() + "\nhost:" + u.Host + "\nx-amz-content-sha256:" + emptyHash +
		"\nx-amz-date:" + stamp + "\n\nhost;x-amz-content-sha256;x-amz-date\n" + emptyHash
	sum := sha256.Sum256([]byte(request))
	key := []byte("AWS4" + value.Reveal())
	for _, part := range []string{stamp[:8], "auto", "s3", "aws4_request",
		"AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(sum[:])} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return http.Header{"X-Amz-Date": {stamp}, "X-Amz-Content-Sha256": {emptyHash},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=" + id + "/" + scope +
			", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + hex.EncodeToString(key)}}
}
