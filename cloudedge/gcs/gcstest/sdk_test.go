package gcstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
)

// TestVendorsClient drives the project by Google's own client: it is understood by those who use it.
func TestVendorsClient(t *testing.T) {
	f := gcstest.New(t, gcstest.Config{})
	file := map[string]string{}
	if err := json.Unmarshal([]byte(f.Access().Key.Reveal()), &file); err != nil {
		t.Fatal(err)
	}
	file["token_uri"] = f.URL() + "/token"
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	config, err := google.JWTConfigFromJSON(text, storage.CloudPlatformScope)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, http.DefaultClient)
	client := config.Client(ctx)
	s, err := storage.NewService(ctx, option.WithHTTPClient(client), option.WithEndpoint(f.URL()+"/storage/v1/"))
	if err != nil {
		t.Fatal(err)
	}
	i, err := iam.NewService(ctx, option.WithHTTPClient(client), option.WithEndpoint(f.URL()+"/"))
	if err != nil {
		t.Fatal(err)
	}
	const project = "projects/" + gcstest.ProjectID
	status := func(err error) int {
		var e *googleapi.Error
		errors.As(err, &e)
		if e == nil {
			t.Fatalf("%v", err)
		}
		return e.Code
	}

	made, err := s.Buckets.Insert(gcstest.ProjectID, &storage.Bucket{Name: "bucket", Location: "EU",
		Labels: map[string]string{"managed-by": "lab"}}).Do()
	if err != nil || made.Metageneration != 1 || made.SoftDeletePolicy.RetentionDurationSeconds != 604800 {
		t.Fatalf("%+v %v", made, err)
	}
	changed, err := s.Buckets.Patch("bucket", &storage.Bucket{Versioning: &storage.BucketVersioning{Enabled: true},
		RetentionPolicy: &storage.BucketRetentionPolicy{RetentionPeriod: 60}}).IfMetagenerationMatch(1).Do()
	if err != nil || !changed.Versioning.Enabled || changed.RetentionPolicy.RetentionPeriod != 60 || changed.Labels["managed-by"] != "lab" {
		t.Errorf("%+v %v", changed, err)
	}
	changed, err = s.Buckets.Patch("bucket", &storage.Bucket{NullFields: []string{"RetentionPolicy"}}).IfMetagenerationMatch(2).Do()
	if err != nil || changed.RetentionPolicy != nil {
		t.Errorf("%+v %v", changed, err)
	}
	if _, err := s.Buckets.Patch("bucket", &storage.Bucket{}).IfMetagenerationMatch(1).Do(); status(err) != http.StatusPreconditionFailed {
		t.Error(err)
	}
	if _, err := s.Buckets.Get("nothing").Do(); status(err) != http.StatusNotFound {
		t.Error(err)
	}

	account, err := i.Projects.ServiceAccounts.Create(project, &iam.CreateServiceAccountRequest{AccountId: "longhorn",
		ServiceAccount: &iam.ServiceAccount{Description: "managed-by=lab"}}).Do()
	if err != nil || account.Email != gcstest.Email("longhorn") || account.UniqueId == "" {
		t.Fatalf("%+v %v", account, err)
	}
	account, err = i.Projects.ServiceAccounts.Patch(account.Name, &iam.PatchServiceAccountRequest{UpdateMask: "displayName",
		ServiceAccount: &iam.ServiceAccount{DisplayName: "Longhorn"}}).Do()
	if err != nil || account.DisplayName != "Longhorn" || account.Description != "managed-by=lab" {
		t.Errorf("%+v %v", account, err)
	}
	for _, name := range []string{"another-a", "another-b"} { // more than a page
		f.AddAccount(name, "")
	}
	n := 0
	err = i.Projects.ServiceAccounts.List(project).Pages(ctx, func(page *iam.ListServiceAccountsResponse) error {
		n += len(page.Accounts)
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("%d accounts, %v", n, err)
	}

	policy, err := s.Buckets.GetIamPolicy("bucket").OptionsRequestedPolicyVersion(3).Do()
	if err != nil {
		t.Fatal(err)
	}
	policy.Bindings = append(policy.Bindings, &storage.PolicyBindings{Role: "roles/storage.objectAdmin",
		Members: []string{"serviceAccount:" + account.Email}})
	if _, err := s.Buckets.SetIamPolicy("bucket", policy).Do(); err != nil {
		t.Error(err)
	}
	if _, err := s.Buckets.SetIamPolicy("bucket", policy).Do(); status(err) != http.StatusPreconditionFailed {
		t.Error(err)
	}

	key, err := s.Projects.HmacKeys.Create(gcstest.ProjectID, account.Email).Do()
	if err != nil || key.Secret == "" || len(key.Metadata.AccessId) != 61 {
		t.Fatal(err)
	}
	keys, err := s.Projects.HmacKeys.List(gcstest.ProjectID).Do()
	if err != nil || len(keys.Items) != 1 || keys.Items[0].State != "ACTIVE" {
		t.Errorf("%+v %v", keys, err)
	}
	if err := s.Projects.HmacKeys.Delete(gcstest.ProjectID, key.Metadata.AccessId).Do(); status(err) != http.StatusBadRequest {
		t.Error(err)
	}
	if _, err := s.Projects.HmacKeys.Update(gcstest.ProjectID, key.Metadata.AccessId, &storage.HmacKeyMetadata{State: "INACTIVE",
		Etag: key.Metadata.Etag}).Do(); err != nil {
		t.Error(err)
	}
	if err := s.Projects.HmacKeys.Delete(gcstest.ProjectID, key.Metadata.AccessId).Do(); err != nil {
		t.Error(err)
	}
	if _, err := i.Projects.ServiceAccounts.Delete(account.Name).Do(); err != nil {
		t.Error(err)
	}
}
