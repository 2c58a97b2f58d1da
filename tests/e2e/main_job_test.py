"""The main job on a real registry: register, test, list, resolve, fetch, verify, and what a user sees when it breaks."""

import hashlib
import json
import unittest

from tests.e2e.harness import Scratch, TestCa


class MainJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.close)
        cls.registry = cls.scratch.registry()
        cls.index = cls.registry.push("team/app", "v1", "v2")
        cls.registry.push("team/web", "latest", marker="web")
        cls.hub = cls.scratch.hub()
        cls.integration = cls.hub.create(cls.registry, "main")

    def steps(self, data):
        return {step["name"]: step for step in data["steps"]}

    def test_connection_test_passes_every_step_in_order(self) -> None:
        data = self.hub.post(f"/integrations/{self.integration}/test").data
        self.assertTrue(data["success"], data)
        self.assertEqual([s["name"] for s in data["steps"]], ["dns", "tcp", "tls", "http", "authentication", "capability"])
        self.assertEqual({s["status"] for s in data["steps"]}, {"pass"})

    def test_health_is_healthy_and_stored(self) -> None:
        self.assertEqual(self.hub.get(f"/integrations/{self.integration}/health").data["status"], "healthy")
        self.assertEqual(self.hub.get(f"/integrations/{self.integration}").data["healthStatus"], "healthy")

    def test_repositories_and_tags_are_listed(self) -> None:
        repos = self.hub.get(f"/integrations/{self.integration}/resources?type=repos").data
        self.assertEqual([r["name"] for r in repos["resources"]], ["team/app", "team/web"])
        tags = self.hub.get(f"/integrations/{self.integration}/resources?type=tags&parent=team/app").data
        self.assertEqual(sorted(r["name"] for r in tags["resources"]), ["v1", "v2"])
        digests = self.hub.get(f"/integrations/{self.integration}/resources?type=digests&parent=team/app").data
        self.assertEqual({r["id"] for r in digests["resources"]}, {self.index})

    def test_tag_resolves_to_the_digest_that_skopeo_sees(self) -> None:
        data = self.hub.post(f"/integrations/{self.integration}/resolve", {"imageRef": "team/app:v1"}).data
        expected = "sha256:" + hashlib.sha256(self.registry.raw_manifest("team/app:v1")).hexdigest()
        self.assertEqual(data["digest"], expected)
        self.assertEqual(data["digest"], self.index)
        again = self.hub.post(f"/integrations/{self.integration}/resolve", {"imageRef": "team/app:v1"}).data
        self.assertTrue(again["cached"])
        fresh = self.hub.post(f"/integrations/{self.integration}/resolve?fresh=true", {"imageRef": "team/app:v1"}).data
        self.assertFalse(fresh["cached"])

    def test_manifest_bytes_hash_to_the_digest(self) -> None:
        raw = self.hub.get(f"/integrations/{self.integration}/manifest?ref=team/app:v1&raw=true")
        self.assertEqual("sha256:" + hashlib.sha256(raw.body).hexdigest(), self.index)
        self.assertEqual(raw.headers["content-type"], "application/vnd.oci.image.index.v1+json")
        data = self.hub.get(f"/integrations/{self.integration}/manifest?ref=team/app:v1").data
        self.assertEqual([p["name"] for p in data["platforms"]], ["linux/amd64", "linux/arm64"])

    def test_verify_tells_a_right_from_a_wrong_digest(self) -> None:
        right = self.hub.post(f"/integrations/{self.integration}/verify", {"imageRef": "team/app:v1", "digest": self.index}).data
        self.assertTrue(right["verified"], right)
        wrong = self.hub.post(f"/integrations/{self.integration}/verify",
                              {"imageRef": "team/web:latest", "digest": self.index}).data
        self.assertFalse(wrong["verified"], wrong)

    def test_missing_tag_is_said_with_the_registrys_words(self) -> None:
        reply = self.hub.post(f"/integrations/{self.integration}/resolve", {"imageRef": "team/app:nope"})
        self.assertIn(reply.status, (404, 502))
        self.assertIn("team/app", reply.error["message"])

    def test_wrong_password_points_at_the_credential(self) -> None:
        wrong = self.hub.create(self.registry, "wrong-password", credentials={"secret": "not-the-password"})
        data = self.hub.post(f"/integrations/{wrong}/test").data
        step = self.steps(data)["authentication"]
        self.assertFalse(data["success"])
        self.assertEqual((step["status"], step["code"]), ("fail", "authentication.rejected"))
        self.assertTrue(step["field"].startswith("/credential"), step)
        self.assertTrue(step["remedy"], step)
        self.assertEqual(self.steps(data)["capability"]["status"], "skip")

    def test_unknown_ca_points_at_the_ca_bundle(self) -> None:
        other = TestCa(self.scratch.directory())
        wrong = self.hub.create(self.registry, "wrong-ca", config={"caBundle": other.certificate.read_text()})
        step = self.steps(self.hub.post(f"/integrations/{wrong}/test").data)["tls"]
        self.assertEqual((step["status"], step["field"]), ("fail", "/caBundle"))
        self.assertTrue(step["code"].startswith("tls."), step)

    def test_draft_is_tested_and_nothing_is_saved(self) -> None:
        body = {"type": "registry.oci", "name": "draft",
                "config": {"endpoint": self.registry.endpoint, "username": self.registry.USER,
                           "caBundle": self.registry.ca.certificate.read_text()},
                "credentials": {"secret": self.registry.password}}
        self.assertTrue(self.hub.post("/integrations:test", body).data["success"])
        self.assertEqual(self.hub.get("/integrations?name=draft").data, [])

    def test_stopped_registry_is_refused_and_comes_back(self) -> None:
        second = self.scratch.registry()
        here = self.hub.create(second, "stopped")
        second.stop()
        data = self.hub.post(f"/integrations/{here}/test").data
        self.assertEqual(self.steps(data)["tcp"]["code"], "connectivity.refused", data)
        reply = self.hub.post(f"/integrations/{here}/resolve", {"imageRef": "team/app:v1"})
        self.assertEqual(reply.status, 503, reply.body)
        second.start()
        self.assertTrue(self.hub.post(f"/integrations/{here}/test?fresh=true").data["success"])

    def test_command_line_does_the_same(self) -> None:
        ca = self.registry.ca.certificate
        made = self.hub.cli("integration", "create", "by-cli", "--type", "registry.oci", "--endpoint", self.registry.endpoint,
                            "--username", self.registry.USER, "--ca-bundle", ca, "--secret-stdin", stdin=self.registry.password)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(self.hub.cli("integration", "test", "by-cli").returncode, 0)
        resolved = self.hub.cli("resolve", "by-cli", "team/app:v1", "--output", "json")
        self.assertEqual(json.loads(resolved.stdout)["digest"], self.index, resolved.stderr)
        self.assertEqual(self.hub.cli("verify", "by-cli", "team/app:v1", self.index).returncode, 0)
        mismatch = self.hub.cli("verify", "by-cli", "team/app:v1", "sha256:" + "0" * 64)
        self.assertNotEqual(mismatch.returncode, 0)
        self.assertEqual(self.hub.cli("integration", "delete", "by-cli", "--yes").returncode, 0)
        self.assertEqual(self.hub.cli("integration", "get", "by-cli").returncode, 4)


if __name__ == "__main__":
    unittest.main()
