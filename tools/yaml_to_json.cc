// Build tool: a YAML document as JSON, or as a C++ source that embeds the JSON.
//   yaml_to_json IN.yaml                 JSON on standard output
//   yaml_to_json IN.yaml OUT.cc NAME     a definition of `std::string_view inthub::NAME()`
// Scalars follow the YAML 1.2 core schema: a plain 3 is a number, true a boolean, null and ~ null; everything quoted
// stays a string. The order of members is kept.
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson scalar_to_json(const YAML::Node& node) {
  static const std::regex integer("[-+]?[0-9]+");
  static const std::regex decimal(R"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)");
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted, or a block scalar
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (std::regex_match(text, integer)) return std::stoll(text);
  if (std::regex_match(text, decimal)) return std::stod(text);
  return text;
}

OrderedJson to_json(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar_to_json(node);
    case YAML::NodeType::Sequence: {
      OrderedJson array = OrderedJson::array();
      for (const YAML::Node& item : node) array.push_back(to_json(item));
      return array;
    }
    case YAML::NodeType::Map: {
      OrderedJson object = OrderedJson::object();
      for (const auto& member : node) {
        const std::string& name = member.first.Scalar();
        if (object.contains(name)) {
          throw std::runtime_error("line " + std::to_string(member.first.Mark().line + 1) + ": key " + name +
                                   " is there twice");
        }
        object[name] = to_json(member.second);
      }
      return object;
    }
    default:
      return nullptr;
  }
}

/// As single characters, because a string literal may not be longer than 65,536 of them.
void write_source(std::ostream& out, const std::string& text, const std::string& name) {
  out << "#include <string_view>\n\nnamespace inthub {\nnamespace {\nconstexpr char kText[] = {";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    constexpr std::string_view kDigits = "0123456789abcdef";
    out << (i % 32 == 0 ? "\n" : "") << "'\\x" << kDigits[byte >> 4] << kDigits[byte & 0xF] << "',";
  }
  out << "\n};\n}  // namespace\nstd::string_view " << name << "();\nstd::string_view " << name
      << "() { return {kText, sizeof(kText)}; }\n}  // namespace inthub\n";
}

int run(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::cerr << "usage: yaml_to_json IN.yaml [OUT.cc FUNCTION]\n";
    return 2;
  }
  const std::string text = to_json(YAML::LoadFile(argv[1])).dump();
  if (argc == 2) {
    std::cout << text << '\n';
    return EXIT_SUCCESS;
  }
  std::ofstream out(argv[2], std::ios::binary | std::ios::trunc);
  write_source(out, text, argv[3]);
  out.close();
  if (!out) throw std::runtime_error(std::string("cannot write ") + argv[2]);
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "yaml_to_json: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
