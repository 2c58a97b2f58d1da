#include "cli/completion_script.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace inthub {
namespace {

/// A command and the words that lead to it, without the program's name: "integration create".
struct Place {
  std::string path;
  const CommandNode* command;
};

// NOLINTNEXTLINE(misc-no-recursion): as deep as the commands are nested
void collect(const CommandNode& node, const std::string& path, std::vector<Place>& places) {
  places.push_back({.path = path, .command = &node});
  for (const CommandNode& command : node.commands) {
    collect(command, path.empty() ? command.name : fmt::format("{} {}", path, command.name), places);
  }
}

std::vector<Place> places_of(const CommandNode& root) {
  std::vector<Place> places;
  collect(root, "", places);
  return places;
}

std::vector<std::string> names_of_options(const CommandNode& command) {
  std::vector<std::string> names;
  for (const OptionNode& option : command.options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

/// The options that every command takes, because they are the program's own.
std::vector<OptionNode> options_everywhere(const CommandNode& root) {
  std::vector<OptionNode> options = root.options;
  std::erase_if(options, [](const OptionNode& option) { return option.value.empty(); });
  return options;
}

/// What may follow a command: its commands, or the words of its first argument that has any.
std::vector<std::string> words_after(const CommandNode& command) {
  std::vector<std::string> words;
  words.reserve(command.commands.size());
  for (const CommandNode& next : command.commands) words.push_back(next.name);
  for (const OptionNode& positional : command.positionals) {
    if (words.empty()) words = positional.words;
  }
  return words;
}

/// Commands that only list themselves take what their own parser knows: files at least.
bool is_opaque(const CommandNode& command) {
  return command.commands.empty() && command.options.empty();
}

std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

/// For the brackets and colons of zsh's _arguments.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_function(const std::string& path) {
  std::string name = path.empty() ? "_inthub" : "_inthub_" + path;
  std::ranges::replace_if(name, [](char c) { return c == ' ' || c == '-'; }, '_');
  return name;
}

std::string zsh_action(const OptionNode& option) {
  if (!option.words.empty()) return fmt::format("({})", fmt::join(option.words, " "));
  return option.takes_file ? "_files" : " ";
}

std::string zsh_option(const OptionNode& option) {
  const std::string description = fmt::format("[{}]", zsh_escaped(option.description));
  const std::string value =
      option.value.empty()
          ? ""
          : fmt::format(":{}:{}", zsh_escaped(option.words.empty() ? option.value : "value"), zsh_action(option));
  const std::string exclusion = option.repeatable ? "*" : fmt::format("({})", fmt::join(option.names, " "));
  if (option.names.size() == 1) return single_quoted(exclusion + option.names.front() + description + value);
  return fmt::format("{}{{{}}}{}", single_quoted(exclusion), fmt::join(option.names, ","),
                     single_quoted(description + value));
}

std::string zsh_command(const Place& place, const CommandNode& root) {
  const CommandNode& command = *place.command;
  std::string out = fmt::format("{}() {{\n", zsh_function(place.path));
  if (is_opaque(command)) return out + "    _files\n}\n\n";
  std::vector<OptionNode> options = command.options;
  if (&command != &root) {
    const std::vector<OptionNode> everywhere = options_everywhere(root);
    options.insert(options.end(), everywhere.begin(), everywhere.end());
  }
  std::vector<std::string> arguments;
  arguments.reserve(options.size() + command.positionals.size() + 2);
  for (const OptionNode& option : options) arguments.push_back(zsh_option(option));
  for (const OptionNode& positional : command.positionals) {
    arguments.push_back(single_quoted(fmt::format("{}:{}:{}", positional.required ? "" : ":",
                                                  zsh_escaped(positional.names.front()), zsh_action(positional))));
  }
  if (command.commands.empty()) {
    return out + fmt::format("    _arguments -s \\\n        {}\n}}\n\n", fmt::join(arguments, " \\\n        "));
  }
  arguments.emplace_back("'1: :->command'");
  arguments.emplace_back("'*:: :->rest'");
  out +=
      fmt::format("    local state line\n    _arguments -C -s \\\n        {}\n", fmt::join(arguments, " \\\n        "));
  out += "    case $state in\n    command)\n        local -a commands\n        commands=(\n";
  for (const CommandNode& next : command.commands) {
    out += fmt::format("            {}\n", single_quoted(fmt::format("{}:{}", next.name, next.description)));
  }
  out += "        )\n        _describe command commands\n        ;;\n    rest)\n        case $line[1] in\n";
  for (const CommandNode& next : command.commands) {
    const std::string path = place.path.empty() ? next.name : fmt::format("{} {}", place.path, next.name);
    out += fmt::format("        {}) {} ;;\n", next.name, zsh_function(path));
  }
  return out + "        esac\n        ;;\n    esac\n}\n\n";
}

void append_fish_option(std::string& out, std::string_view condition, const OptionNode& option) {
  out += fmt::format("complete -c inthub{}", condition);
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
  }
  if (option.takes_file) {
    out += " -r -F";
  } else if (!option.words.empty()) {
    out += fmt::format(" -x -a {}", single_quoted(fmt::format("{}", fmt::join(option.words, " "))));
  } else if (!option.value.empty()) {
    out += " -x";
  }
  out += fmt::format(" -d {}\n", single_quoted(option.description));
}

}  // namespace

std::string bash_completion(const CommandNode& root) {
  const std::vector<Place> places = places_of(root);
  const std::vector<OptionNode> everywhere = options_everywhere(root);

  // Each of these becomes the arms of a `case "$path|$word"`.
  std::vector<std::string> with_value;
  std::string values;
  const auto add_option = [&](const std::string& place, const OptionNode& option) {
    if (option.value.empty()) return;
    std::vector<std::string> patterns;
    patterns.reserve(option.names.size());
    for (const std::string& name : option.names) patterns.push_back(fmt::format("{}\"|{}\"", place, name));
    with_value.insert(with_value.end(), patterns.begin(), patterns.end());
    std::string action = "return";
    if (!option.words.empty()) action = fmt::format("_inthub_words '{}'; return", fmt::join(option.words, " "));
    if (option.takes_file) action = "_inthub_files; return";
    values += fmt::format("        {}) {} ;;\n", fmt::join(patterns, "|"), action);
  };
  for (const OptionNode& option : everywhere) add_option("*", option);
  for (const Place& place : places) {
    if (place.command == &root) continue;
    for (const OptionNode& option : place.command->options) add_option(fmt::format("\"{}\"", place.path), option);
  }

  std::vector<std::string> paths;
  std::string options;
  std::string words;
  for (const Place& place : places) {
    const CommandNode& command = *place.command;
    if (!place.path.empty()) paths.push_back(fmt::format("\"{}\"", place.path));
    std::vector<std::string> names = names_of_options(command);
    if (&command != &root) {
      for (const OptionNode& option : everywhere) names.insert(names.end(), option.names.begin(), option.names.end());
    }
    options += fmt::format("            \"{}\") _inthub_words '{}' ;;\n", place.path,
                           is_opaque(command) ? "" : fmt::format("{}", fmt::join(names, " ")));
    if (is_opaque(command)) {
      words += fmt::format("        \"{}\") _inthub_files ;;\n", place.path);
    } else if (const auto next = words_after(command); !next.empty()) {
      words += fmt::format("        \"{}\") _inthub_words '{}' ;;\n", place.path, fmt::join(next, " "));
    }
  }

  std::string out = R"(# bash completion for inthub, made by `inthub completion bash`
_inthub_words() {
    COMPREPLY=($(compgen -W "$1" -- "$cur"))
}
_inthub_files() {
    local IFS=$'\n'
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
}
_inthub() {
    local cur prev word path="" i
    COMPREPLY=()
    cur="${COMP_WORDS[COMP_CWORD]}"
    prev="${COMP_WORDS[COMP_CWORD-1]}"
    # bash takes "--option=value" apart at the sign
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        case "$path|$word" in
        )";
  out += fmt::format("{})\n", fmt::join(with_value, "|\\\n        "));
  out += R"(            i=$((i + 1))
            [[ ${COMP_WORDS[i]-} == "=" ]] && i=$((i + 1))
            continue
            ;;
        esac
        case "${path:+$path }$word" in
        )";
  out += fmt::format("{}) path=\"${{path:+$path }}$word\" ;;\n        esac\n    done\n", fmt::join(paths, "|"));
  out += "    case \"$path|$prev\" in\n" + values + "    esac\n";
  out +=
      "    if [[ $cur == -* ]]; then\n        case \"$path\" in\n" + options + "        esac\n        return\n    fi\n";
  out += "    case \"$path\" in\n" + words + "    esac\n}\ncomplete -F _inthub inthub\n";
  return out;
}

std::string zsh_completion(const CommandNode& root) {
  std::string out = "#compdef inthub\n# zsh completion for inthub, made by `inthub completion zsh`\n\n";
  for (const Place& place : places_of(root)) out += zsh_command(place, root);
  // Loaded from $fpath the file is the function's body; sourced, it registers itself.
  out +=
      "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n    _inthub \"$@\"\nelse\n    compdef _inthub "
      "inthub\nfi\n";
  return out;
}

std::string fish_completion(const CommandNode& root) {
  const std::vector<Place> places = places_of(root);
  std::set<std::string> with_value;
  std::vector<std::string> paths;
  for (const Place& place : places) {
    if (!place.path.empty()) paths.push_back(single_quoted(place.path));
    for (const OptionNode& option : place.command->options) {
      if (!option.value.empty()) with_value.insert(option.names.begin(), option.names.end());
    }
  }
  std::string out = fmt::format(R"(# fish completion for inthub, made by `inthub completion fish`
function __inthub_path
    set -l path
    set -l skip 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $word
            case {}
                set skip 1
            case '-*'
            case '*'
                set -l longer (string trim -- "$path $word")
                if contains -- $longer {}
                    set path $longer
                end
        end
    end
    echo "$path"
end
complete -c inthub -f
)",
                                fmt::join(with_value, " "), fmt::join(paths, " "));
  for (const OptionNode& option : options_everywhere(root)) append_fish_option(out, "", option);
  for (const Place& place : places) {
    const CommandNode& command = *place.command;
    const std::string condition = fmt::format(" -n 'test (__inthub_path) = \"{}\"'", place.path);
    for (const CommandNode& next : command.commands) {
      out += fmt::format("complete -c inthub{} -a {} -d {}\n", condition, next.name, single_quoted(next.description));
    }
    if (command.commands.empty()) {
      for (const std::string& word : words_after(command))
        out += fmt::format("complete -c inthub{} -a {}\n", condition, word);
    }
    if (is_opaque(command)) out += fmt::format("complete -c inthub{} -F\n", condition);
    for (const OptionNode& option : command.options) {
      if (&command == &root && !option.value.empty()) continue;  // offered everywhere already
      append_fish_option(out, condition, option);
    }
  }
  return out;
}

}  // namespace inthub
