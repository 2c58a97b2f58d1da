#include "cli/views.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"

namespace inthub {
namespace {

using Fields = std::vector<std::pair<std::string, Cell>>;

constexpr std::size_t kLongestShownValue = 120;

Tone tone_of_health(std::string_view status) {
  if (status == "healthy") return Tone::good;
  if (status == "degraded") return Tone::warning;
  if (status == "unhealthy") return Tone::bad;
  return Tone::faint;
}

std::string milliseconds(const Json& object, std::string_view name) {
  const Json& value = member_at(object, name);
  if (!value.is_number()) return {};
  const double number = value.get<double>();
  return number < 10 ? fmt::format("{:.1f} ms", number) : fmt::format("{:.0f} ms", number);
}

std::string origin(const Json& answer) {
  if (member_at(answer, "cached") != Json(true)) return "fresh";
  return fmt::format("cached, {} s old", text_at(answer, "ageSeconds"));
}

std::string joined(const Json& list, std::string_view separator = ", ") {
  std::string out;
  if (!list.is_array()) return out;
  for (const Json& entry : list) {
    if (!out.empty()) out += separator;
    out += entry.is_string() ? entry.get<std::string>() : to_text(entry);
  }
  return out;
}

/// A config value on one line; certificates are counted rather than shown.
std::string shown_value(const Json& value) {
  if (!value.is_string()) return to_text(value);
  const auto& text = value.get_ref<const std::string&>();
  std::size_t certificates = 0;
  for (std::size_t at = text.find("-----BEGIN "); at != std::string::npos; at = text.find("-----BEGIN ", at + 1))
    ++certificates;
  if (certificates > 0)
    return fmt::format("PEM, {} {}, {} bytes", certificates, certificates == 1 ? "entry" : "entries", text.size());
  if (text.size() <= kLongestShownValue) return text;
  std::size_t cut = kLongestShownValue;
  while ((static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return text.substr(0, cut) + "…";
}

void add_if_any(Fields& fields, std::string label, std::string value, Tone tone = Tone::plain) {
  if (!value.empty()) fields.emplace_back(std::move(label), Cell(std::move(value), tone));
}

void show_map(Output& output, std::string_view title, const Json& map) {
  if (!map.is_object() || map.empty()) return;
  output.line(output.paint(title, Tone::strong));
  Table table({}, 2);
  for (const auto& [name, value] : map.items()) table.add({Cell(name, Tone::faint), Cell(shown_value(value))});
  output.table(table);
}

/// The command that mends what a step points at.
std::string command_for(const std::string& pointer, const std::string& integration) {
  if (pointer.starts_with("/credential"))
    return fmt::format("inthub integration set-credential {} --secret-stdin", integration);
  const std::string option = option_for_pointer(pointer);
  return fmt::format("inthub integration update {} {}", integration, option.empty() ? "--set …" : option);
}

}  // namespace

void show_integration(Output& output, const Json& integration) {
  const std::string status = text_at(integration, "healthStatus");
  const Json& health = member_at(integration, "health");
  std::string why = text_at(health, "message");
  if (why.empty()) why = text_at(health, "code");
  const std::string last_check = text_at(integration, "lastHealthCheck");
  Fields fields;
  fields.emplace_back("name", Cell(text_at(integration, "name"), Tone::strong));
  fields.emplace_back("type", text_at(integration, "type"));
  fields.emplace_back("id", text_at(integration, "id"));
  fields.emplace_back("health", Cell(status, tone_of_health(status)));
  if (status != "healthy") {
    add_if_any(fields, "  because", why);
    add_if_any(fields, "  remedy", text_at(health, "remedy"));
  }
  fields.emplace_back("last check", last_check.empty() ? "never" : last_check);
  add_if_any(fields, "credential", text_at(integration, "credentialRef"));
  add_if_any(fields, "revision", text_at(integration, "revision"));
  add_if_any(fields, "created", text_at(integration, "createdAt"));
  add_if_any(fields, "updated", text_at(integration, "updatedAt"));
  output.fields(fields);
  show_map(output, "config", member_at(integration, "config"));
}

void show_integrations(Output& output, const Json& integrations) {
  Table table({"NAME", "TYPE", "HEALTH", "LAST CHECK", "ENDPOINT", "ID"});
  for (const Json& integration : integrations) {
    const std::string status = text_at(integration, "healthStatus");
    const std::string last_check = text_at(integration, "lastHealthCheck");
    table.add({Cell(text_at(integration, "name")), Cell(text_at(integration, "type")),
               Cell(status, tone_of_health(status)), last_check.empty() ? Cell("never", Tone::faint) : Cell(last_check),
               Cell(text_at(member_at(integration, "config"), "endpoint")),
               Cell(text_at(integration, "id"), Tone::faint)});
  }
  output.table(table);
}

void show_connection_test(Output& output, std::string_view name, const Json& test, Tested tested) {
  const bool success = member_at(test, "success") == Json(true);
  output.line(fmt::format("{} {}: {} ({}, {})", success ? output.paint("✓", Tone::good) : output.paint("✗", Tone::bad),
                          output.paint(printable(name), Tone::strong),
                          success ? "the connection works" : "the connection test failed",
                          milliseconds(test, "latencyMs"), printable(origin(test))));
  const Json& steps = member_at(test, "steps");
  if (!steps.is_array()) return;
  Table rows({}, 2);
  struct Advice {
    std::string name;
    std::string field;
    std::string remedy;
  };
  std::vector<Advice> advice;
  for (const Json& step : steps) {
    const std::string status = text_at(step, "status");
    Cell sign("–", Tone::faint);
    if (status == "pass") sign = Cell("✓", Tone::good);
    if (status == "fail") sign = Cell("✗", Tone::bad);
    if (status == "warn") sign = Cell("!", Tone::warning);
    const bool skipped = status == "skip";
    rows.add({sign, Cell(text_at(step, "name"), skipped ? Tone::faint : Tone::plain),
              Cell(skipped ? "" : milliseconds(step, "durationMs")), Cell(text_at(step, "code"), sign.tone),
              Cell(text_at(step, "message"), skipped ? Tone::faint : Tone::plain)});
    const std::string field = text_at(step, "field");
    const std::string remedy = text_at(step, "remedy");
    if ((status == "fail" || status == "warn") && !(field.empty() && remedy.empty())) {
      advice.push_back({.name = text_at(step, "name"), .field = field, .remedy = remedy});
    }
  }
  output.table(rows);
  for (const Advice& entry : advice) {
    output.line();
    output.line(fmt::format("What to do about {}:", output.paint(printable(entry.name), Tone::strong)));
    if (!entry.remedy.empty()) output.line("  " + printable(entry.remedy));
    if (entry.field.empty()) continue;
    const std::string what = tested == Tested::stored ? fmt::format("`{}`", command_for(entry.field, printable(name)))
                                                      : option_for_pointer(entry.field);
    output.line(fmt::format("  {}{}{}", printable(entry.field), what.empty() ? "" : ": ", what));
  }
}

void show_health(Output& output, std::string_view name, const Json& health) {
  const std::string status = text_at(health, "status");
  Fields fields;
  fields.emplace_back("integration", Cell(std::string(name), Tone::strong));
  fields.emplace_back("health", Cell(status, tone_of_health(status)));
  add_if_any(fields, "code", text_at(health, "code"));
  add_if_any(fields, "message", text_at(health, "message"));
  add_if_any(fields, "remedy", text_at(health, "remedy"), Tone::strong);
  add_if_any(fields, "latency", milliseconds(health, "latencyMs"));
  add_if_any(fields, "checked", fmt::format("{} ({})", text_at(health, "checkedAt"), origin(health)));
  output.fields(fields);
  show_map(output, "details", member_at(health, "details"));
}

void show_resources(Output& output, const Json& resources) {
  Table table({"NAME", "TYPE", "PARENT", "ID", "ATTRIBUTES"});
  for (const Json& resource : resources) {
    std::string attributes;
    const Json& all = member_at(resource, "attributes");
    if (all.is_object()) {
      for (const auto& [name, value] : all.items()) {
        attributes += fmt::format("{}{}={}", attributes.empty() ? "" : " ", name, shown_value(value));
      }
    }
    table.add({Cell(text_at(resource, "name")), Cell(text_at(resource, "type")), Cell(text_at(resource, "parentId")),
               Cell(text_at(resource, "id"), Tone::faint), Cell(attributes)});
  }
  output.table(table);
}

void show_types(Output& output, const Json& types) {
  Table table({"TYPE", "NAME", "SOURCE", "CAPABILITIES"});
  for (const Json& type : types) {
    table.add({Cell(text_at(type, "id"), Tone::strong), Cell(text_at(type, "displayName")),
               Cell(text_at(type, "source")), Cell(joined(member_at(type, "capabilities")))});
  }
  output.table(table);
}

void show_type(Output& output, const Json& type) {
  Fields fields;
  fields.emplace_back("type", Cell(text_at(type, "id"), Tone::strong));
  fields.emplace_back("name", text_at(type, "displayName"));
  add_if_any(fields, "description", text_at(type, "description"));
  add_if_any(fields, "source", text_at(type, "source"));
  add_if_any(fields, "capabilities", joined(member_at(type, "capabilities")));
  add_if_any(fields, "operations", joined(member_at(type, "operations")));
  add_if_any(fields, "auth modes", joined(member_at(type, "authModes")));
  fields.emplace_back("credential", member_at(type, "credentialRequired") == Json(false) ? "optional" : "required");
  output.fields(fields);

  const Json& resource_types = member_at(type, "resourceTypes");
  if (resource_types.is_array() && !resource_types.empty()) {
    output.line(output.paint("resources", Tone::strong));
    Table table({}, 2);
    for (const Json& resource : resource_types) {
      const std::string parent = text_at(resource, "parentType");
      table.add({Cell(text_at(resource, "name")),
                 Cell(parent.empty() ? "" : fmt::format("below {}", parent), Tone::faint),
                 Cell(text_at(resource, "description"))});
    }
    output.table(table);
  }
  const Json& schema = member_at(type, "configSchema");
  const Json& properties = member_at(schema, "properties");
  if (!properties.is_object() || properties.empty()) return;
  const Json& required = member_at(schema, "required");
  output.line(output.paint("config", Tone::strong));
  Table table({}, 2);
  for (const auto& [name, property] : properties.items()) {
    const bool is_required = required.is_array() && std::ranges::find(required, Json(name)) != required.end();
    const Json& words = member_at(property, "enum");
    std::string kind = words.is_array() ? joined(words, "|") : text_at(property, "type");
    std::string option = option_for_pointer("/config/" + pointer_token(name));
    table.add({Cell(name), Cell(kind, Tone::faint), Cell(is_required ? "required" : "", Tone::warning),
               Cell(std::move(option), Tone::faint), Cell(text_at(property, "description"))});
  }
  output.table(table);
}

void show_resolution(Output& output, const Json& resolution) {
  Fields fields;
  fields.emplace_back("image", text_at(resolution, "imageRef"));
  fields.emplace_back("digest", Cell(text_at(resolution, "digest"), Tone::strong));
  add_if_any(fields, "media type", text_at(resolution, "manifestType"));
  add_if_any(fields, "size", fmt::format("{} bytes", text_at(resolution, "sizeBytes")));
  add_if_any(fields, "pushed", text_at(resolution, "pushedAt"));
  fields.emplace_back("answer", origin(resolution));
  output.fields(fields);
  show_map(output, "details", member_at(resolution, "details"));
}

void show_manifest(Output& output, const Json& manifest) {
  Fields fields;
  fields.emplace_back("image", text_at(manifest, "imageRef"));
  fields.emplace_back("digest", Cell(text_at(manifest, "digest"), Tone::strong));
  fields.emplace_back("media type", text_at(manifest, "mediaType"));
  fields.emplace_back("size", fmt::format("{} bytes", text_at(manifest, "sizeBytes")));
  fields.emplace_back("answer", origin(manifest));
  output.fields(fields);
  const Json& platforms = member_at(manifest, "platforms");
  if (platforms.is_array() && !platforms.empty()) {
    Table table({"PLATFORM", "DIGEST", "BYTES"}, 2);
    for (const Json& platform : platforms) {
      table.add(
          {Cell(text_at(platform, "name")), Cell(text_at(platform, "digest")), Cell(text_at(platform, "sizeBytes"))});
    }
    output.table(table);
  }
}

void show_verification(Output& output, const Json& verification) {
  const bool verified = member_at(verification, "verified") == Json(true);
  output.line(fmt::format("{} {}", verified ? output.paint("✓", Tone::good) : output.paint("✗", Tone::bad),
                          verified ? "the digest matches the bytes in the registry"
                                   : "the digest does not match the bytes in the registry"));
  Fields fields;
  fields.emplace_back("image", text_at(verification, "imageRef"));
  fields.emplace_back("expected", text_at(verification, "expectedDigest"));
  fields.emplace_back("actual", Cell(text_at(verification, "actualDigest"), verified ? Tone::plain : Tone::bad));
  if (!verified) {
    add_if_any(fields, "code", text_at(verification, "code"));
    add_if_any(fields, "message", text_at(verification, "message"));
  }
  output.fields(fields);
}

}  // namespace inthub
