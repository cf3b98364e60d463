#include "plan/plan.hpp"

#include <algorithm>

namespace muster::data::plan {
namespace {

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

/// Whether its output is made by tasks of its own, which can go on with it.
bool has_tasks(const Stage& stage) {
    return std::visit(Overloaded{[](const auto&) { return true; },
                                 [&](const Stored&) { return !stage.steps.empty(); },
                                 [](const Actors&) { return false; },
                                 [](const Limit&) { return false; },
                                 [](const Union&) { return false; }},
                      stage.node->op);
}

bool allows(const Stage& stage, const Step& step) {
    return stage.cpus == step.cpus && stage.gpus == step.gpus;
}

void append(Stage& stage, Step step) {
    if (stage.steps.empty()) {
        stage.cpus = step.cpus;
        stage.gpus = step.gpus;
    }
    stage.steps.push_back(std::move(step));
}

/// The same stage with one more function behind it, or a stage of its own for that.
Stage then(Stage input, Step step) {
    if (has_tasks(input) && allows(input, step)) {
        append(input, std::move(step));
        return input;
    }
    Stage stage;
    stage.node = std::make_shared<Node>(Node{Apply{step}, {input.node}});
    stage.inputs.push_back(std::move(input));
    append(stage, std::move(step));
    return stage;
}

/// What is left to be read of a file if only these columns count; what is asked for and not in the
/// selection made before is for the function behind it to miss.
void narrow(Stage& stage, std::vector<std::string> columns) {
    if (!std::holds_alternative<ReadFile>(stage.node->op) || !stage.steps.empty() ||
        columns.empty() || !stage.read.columns.empty()) {
        return;
    }
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
    stage.read.columns = std::move(columns);
}

std::vector<std::string> used_columns(const Group& group) {
    std::vector<std::string> columns = group.keys;
    for (const Aggregate& aggregate : group.aggregates) {
        if (aggregate.kind == Aggregate::Kind::count && columns.empty() &&
            group.aggregates.size() == 1) {
            return {}; // rows cannot be counted without a column
        }
        if (!aggregate.column.empty()) {
            columns.push_back(aggregate.column);
        }
    }
    return columns;
}

} // namespace

std::string Stage::name() const {
    std::string text = std::visit(
        Overloaded{[](const ReadFile&) { return "read"; },
                   [](const Range&) { return "range"; },
                   [](const Stored&) { return "blocks"; },
                   [](const Apply&) { return ""; },
                   [](const Actors&) { return "map_batches"; },
                   [](const Limit&) { return "limit"; },
                   [](const Repartition&) { return "repartition"; },
                   [](const Shuffle&) { return "random_shuffle"; },
                   [](const Sort& sort) { return sort.unique ? "unique" : "sort"; },
                   [](const Group& group) { return group.keys.empty() ? "aggregate" : "group_by"; },
                   [](const Union&) { return "union"; },
                   [](const Zip&) { return "zip"; },
                   [](const Join&) { return "join"; }},
        node->op);
    for (const Step& step : steps) {
        text += (text.empty() ? "" : " -> ") + step.name;
    }
    return text;
}

Stage make_stages(const NodePtr& node, const OwnSteps& own) {
    Stage stage;
    stage.node = node;
    for (const NodePtr& input : node->inputs) {
        stage.inputs.push_back(make_stages(input, own));
    }
    if (const auto* read = std::get_if<ReadFile>(&node->op)) {
        stage.read = read->options;
    } else if (const auto* apply = std::get_if<Apply>(&node->op)) {
        narrow(stage.inputs[0], apply->step.selects);
        return then(std::move(stage.inputs[0]), apply->step);
    } else if (const auto* limit = std::get_if<Limit>(&node->op)) {
        Stage& input = stage.inputs[0];
        if (has_tasks(input)) {
            Step head = own.make_head(limit->rows);
            head.cpus = input.cpus;
            head.gpus = input.gpus;
            append(input, std::move(head));
        }
    } else if (const auto* sort = std::get_if<Sort>(&node->op)) {
        stage.inputs[0] = then(std::move(stage.inputs[0]), own.make_sorted(*sort));
    } else if (const auto* group = std::get_if<Group>(&node->op)) {
        narrow(stage.inputs[0], used_columns(*group));
        stage.inputs[0] = then(std::move(stage.inputs[0]), own.make_partial(*group));
    } else if (const auto* join = std::get_if<Join>(&node->op)) {
        for (Stage& input : stage.inputs) {
            input = then(std::move(input), own.make_join_sorted(join->keys));
        }
    }
    return stage;
}

} // namespace muster::data::plan
