package gcstest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// key is an HMAC key.
type key struct {
	Kind    string    `json:"kind"`
	ID      string    `json:"accessId"`
	Project string    `json:"projectId"`
	Account string    `json:"serviceAccountEmail"`
	State   string    `json:"state"`
	Created time.Time `json:"timeCreated"`
	Updated time.Time `json:"updated"`
	Etag    string    `json:"etag"`

	secret             string
	unlisted, unusable int // requests that do not know it yet
}

// mostKeys is how many keys an account has at most, with those that are inactive: five, as googleapis/google-cloud-cpp 2540 says.
const mostKeys = 5

// AddKey creates a key of an account by other means, and returns its ID and secret.
func (s *Server) AddKey(account string) (id string, secret lab.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.addKey(Email(account))
	return k.ID, lab.NewSecret(k.secret)
}

func (s *Server) addKey(email string) *key {
	b := make([]byte, 30)
	_, _ = rand.Read(b) // it never fails
	now := time.Now().UTC()
	k := &key{Kind: "storage#hmacKeyMetadata", ID: "GOOG1E" + (rand.Text() + rand.Text() + rand.Text())[:55], Project: ProjectID, Account: email,
		State: "ACTIVE", Created: now, Updated: now, Etag: etag(1), secret: base64.StdEncoding.EncodeToString(b), unlisted: s.config.Lag,
		unusable: s.config.Lag}
	s.keys = append(s.keys, k)
	return k
}

// SetKey sets the state of a key, ACTIVE or INACTIVE, as people do in Google's pages.
func (s *Server) SetKey(id, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keyByID(id).set(state)
}

func (k *key) set(state string) {
	k.State, k.Updated, k.Etag = state, time.Now().UTC(), base64.StdEncoding.EncodeToString([]byte(k.Etag + state))[:12]
}

// Keys returns the keys, the oldest first: "ID ACCOUNT STATE".
func (s *Server) Keys() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.State == "DELETED" {
			continue
		}
		name, _, _ := strings.Cut(k.Account, "@")
		all = append(all, k.ID+" "+name+" "+k.State)
	}
	return all
}

func (s *Server) keyByID(id string) *key {
	for _, k := range s.keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

func (s *Server) keyRoutes(mux *http.ServeMux) {
	const root = "/storage/v1/projects/" + ProjectID + "/hmacKeys"
	one := func(handler func(*call, *key) answer) func(*call) answer {
		return func(c *call) answer {
			if k := c.keyByID(c.req.PathValue("id")); k != nil {
				return handler(c, k)
			}
			return refuse(http.StatusNotFound, "Access ID not found in project %s.", ProjectID)
		}
	}
	s.handle(mux, "GET "+root, func(c *call) answer {
		var listed []*key
		for _, k := range c.keys {
			if k.unlisted > 0 {
				k.unlisted--
			} else if k.State != "DELETED" {
				listed = append(listed, k)
			}
		}
		return page(c, "items", listed)
	})
	s.handle(mux, "POST "+root, func(c *call) answer {
		email := c.req.URL.Query().Get("serviceAccountEmail")
		if a := c.account(email); a == nil || a.Disabled {
			return refuse(http.StatusNotFound, "Service Account '%s' not found.", email)
		}
		n := 0
		for _, k := range c.keys {
			if k.Account == email && k.State != "DELETED" {
				n++
			}
		}
		if n >= mostKeys {
			return refuse(http.StatusPreconditionFailed, "The service account has too many HMAC keys.")
		}
		k := c.addKey(email)
		return ok(map[string]any{"kind": "storage#hmacKey", "secret": k.secret, "metadata": k})
	})
	s.handle(mux, "GET "+root+"/{id}", one(func(_ *call, k *key) answer { return ok(k) }))
	s.handle(mux, "PUT "+root+"/{id}", one(func(c *call, k *key) answer {
		var in struct {
			State string `json:"state"`
			Etag  string `json:"etag"`
		}
		c.read(&in)
		switch {
		case in.Etag == "":
			return c.strangeness("it has no etag")
		case in.Etag != k.Etag:
			return refuse(http.StatusPreconditionFailed, "The etag does not match.")
		case k.State == "DELETED":
			return refuse(http.StatusBadRequest, "Cannot update keys in 'DELETED' state.")
		case in.State != "ACTIVE" && in.State != "INACTIVE":
			return refuse(http.StatusBadRequest, "Invalid state")
		}
		k.set(in.State)
		return ok(k)
	}))
	s.handle(mux, "DELETE "+root+"/{id}", one(func(c *call, k *key) answer {
		if k.State != "INACTIVE" {
			return refuse(http.StatusBadRequest, "Cannot delete keys in '%s' state.", k.State)
		}
		k.set("DELETED") // it can still be read
		return answer{status: http.StatusNoContent}
	}))
	s.open(mux, "GET /{bucket}", func(c *call) answer { return c.list() })
}

// list answers a list of objects as S3 does.
func (c *call) list() answer {
	refuse := func(code, message string) answer {
		return answer{status: http.StatusForbidden, text: "<?xml version='1.0' encoding='UTF-8'?><Error><Code>" + code + "</Code><Message>" + message +
			"</Message></Error>"}
	}
	const prefix = "AWS4-HMAC-SHA256 Credential="
	fields, found := strings.CutPrefix(c.req.Header.Get("Authorization"), prefix)
	if !found {
		return refuse("AccessDenied", "Access denied.")
	}
	credential, rest, _ := strings.Cut(fields, ", SignedHeaders=")
	headers, signature, _ := strings.Cut(rest, ", Signature=")
	scope := strings.Split(credential, "/") // ID, date, region, service, aws4_request
	if len(scope) != 5 {
		return c.strangeness("its credential is %s", credential)
	}
	k := c.keyByID(scope[0])
	if k == nil || k.State != "ACTIVE" || k.unusable > 0 {
		if k != nil {
			k.unusable--
		}
		return refuse("InvalidAccessKeyId", "The User Id you provided does not exist in our records.")
	}
	stamp := c.req.Header.Get("X-Amz-Date")
	if at, err := time.Parse("20060102T150405Z", stamp); err != nil || time.Since(at).Abs() > 15*time.Minute {
		return refuse("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", c.req.Method, c.req.URL.EscapedPath(), c.req.URL.RawQuery)
	for name := range strings.SplitSeq(headers, ";") {
		value := c.req.Header.Get(name)
		if name == "host" {
			value = c.req.Host
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, value)
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", headers, c.req.Header.Get("X-Amz-Content-Sha256"))
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	sum := sha256.Sum256([]byte(canonical.String()))
	signing := mac(mac(mac(mac([]byte("AWS4"+k.secret), scope[1]), scope[2]), scope[3]), scope[4])
	wanted := mac(signing, "AWS4-HMAC-SHA256\n"+stamp+"\n"+strings.Join(scope[1:], "/")+"\n"+hex.EncodeToString(sum[:]))
	if hex.EncodeToString(wanted) != signature {
		return refuse("SignatureDoesNotMatch", "Access denied.")
	}
	b := c.buckets[c.req.PathValue("bucket")]
	if b == nil || !slices.ContainsFunc(b.policy.Bindings, func(b binding) bool {
		return slices.Contains(b.Members, "serviceAccount:"+k.Account)
	}) {
		return refuse("AccessDenied", "Access denied.")
	}
	return answer{status: http.StatusOK, text: "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult></ListBucketResult>"}
}
