#include "server/rest/answers.h"

#include "server/rest/json_text.h"

namespace inthub {
namespace {

template <class T>
void end_with_origin(JsonObject& object, const Answer<T>& answer) {
  object.boolean("cached", answer.cached).number("ageSeconds", answer.age.count()).end();
}

void append_step(std::string& out, const TestStep& step) {
  JsonObject object(out);
  object.text("name", step.name)
      .text("status", name_of(step.status))
      .text("code", step.code)
      .text("message", step.message)
      .milliseconds("durationMs", step.duration);
  if (!step.field.empty()) object.text("field", step.field);
  if (!step.remedy.empty()) object.text("remedy", step.remedy);
  object.end();
}

}  // namespace

void append_connection_test(std::string& out, const Answer<ConnectionTest>& answer) {
  const ConnectionTest& test = *answer.value;
  JsonObject object(out);
  object.boolean("success", test.success)
      .text_or_null("errorMessage", test.error_message)
      .texts("details", test.details)
      .milliseconds("latencyMs", test.latency);
  append_array(object.key("steps"), test.steps, append_step);
  object.time("testedAt", test.tested_at);
  end_with_origin(object, answer);
}

void append_health(std::string& out, const Answer<HealthReport>& answer) {
  const HealthReport& health = *answer.value;
  JsonObject object(out);
  object.text("status", name_of(health.status))
      .text("code", health.code)
      .text("message", health.message)
      .text_or_null("remedy", health.remedy)
      .texts("details", health.details)
      .milliseconds("latencyMs", health.latency)
      .time("checkedAt", health.checked_at);
  end_with_origin(object, answer);
}

void append_resolution(std::string& out, const Answer<ResolvedDigest>& answer) {
  const ResolvedDigest& resolved = *answer.value;
  JsonObject object(out);
  object.text("imageRef", resolved.image_ref)
      .text("repository", resolved.repository)
      .text_or_null("tag", resolved.tag)
      .text("digest", resolved.digest)
      .text("manifestType", resolved.manifest_type)
      .number("sizeBytes", resolved.size_bytes)
      .time_or_null("pushedAt", resolved.pushed_at)
      .texts("details", resolved.details);
  end_with_origin(object, answer);
}

void append_manifest(std::string& out, const Answer<Manifest>& answer) {
  const Manifest& manifest = *answer.value;
  JsonObject object(out);
  object.text("imageRef", manifest.image_ref)
      .text("digest", manifest.digest)
      .text("mediaType", manifest.media_type)
      .number("sizeBytes", static_cast<std::int64_t>(manifest.bytes.size()));
  append_array(object.key("platforms"), manifest.platforms, [](std::string& text, const Manifest::Platform& platform) {
    JsonObject(text)
        .text("name", platform.name)
        .text("digest", platform.digest)
        .number("sizeBytes", platform.size_bytes)
        .end();
  });
  object.raw("manifest", manifest.bytes);
  end_with_origin(object, answer);
}

void append_verification(std::string& out, const Answer<Verification>& answer) {
  const Verification& verification = *answer.value;
  JsonObject object(out);
  object.boolean("verified", verification.verified)
      .text("imageRef", verification.image_ref)
      .text("expectedDigest", verification.expected_digest)
      .text("actualDigest", verification.actual_digest)
      .text("code", verification.code)
      .text("message", verification.message);
  end_with_origin(object, answer);
}

void append_resource(std::string& out, const Resource& resource) {
  JsonObject(out)
      .text("type", resource.type)
      .text("id", resource.id)
      .text("name", resource.name)
      .text_or_null("url", resource.url)
      .text_or_null("parentId", resource.parent_id)
      .texts("attributes", resource.attributes)
      .end();
}

}  // namespace inthub
