// One mistake behind each macro; without any of them this compiles.

#include <muster/core/muster.hpp>

#include <coroutine>
#include <string>
#include <vector>

namespace {

using muster::Coroutine;
using muster::Future;

Coroutine<double> half(double x) {
    co_return x / 2;
}

struct Model {
    Coroutine<int> ask(const std::string& question) { co_return static_cast<int>(question.size()); }

    Coroutine<int> change(std::string& question) { co_return static_cast<int>(question.size()); }
};

} // namespace

Coroutine<double> fine(const Future<double>& future) {
    double sum = co_await future;
    sum += co_await muster::task<&half>(1.0);
    sum += co_await half(3);
    auto later = half(4);
    sum += co_await std::move(later);
    auto futures = muster::map<&half>(std::vector<double>{1, 2});
    sum += (co_await muster::when_all(futures)).front();
    auto completed = muster::as_completed(futures);
    sum += co_await *co_await completed.next();
    const auto model = muster::spawn<Model>({});
    sum += co_await model.call<&Model::ask>("why?");
    co_return sum;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, []() -> Coroutine<int> { co_return 0; });
}

#if defined(GANG)
Coroutine<int> solve(muster::Communicator& ranks) {
    co_return ranks.size();
}

void mistake() {
    (void)muster::task<&solve>.with({.ranks = 2})();
}
#elif defined(REFERENCE_PARAMETER)
Coroutine<int> increase(int& x) {
    co_return ++x;
}

void mistake() {
    int x = 1;
    (void)muster::task<&increase>(x);
}
#elif defined(POINTER_RESULT)
Coroutine<int*> point() {
    co_return nullptr;
}

void mistake() {
    (void)muster::task<&point>();
}
#elif defined(REFERENCE_VALUE)
Coroutine<int&> refer(int& x) {
    co_return x;
}
#elif defined(AWAITED_TWICE)
Coroutine<double> mistake() {
    auto twice = half(1);
    co_return co_await twice;
}
#elif defined(FOREIGN_AWAITABLE)
Coroutine<void> mistake() {
    co_await std::suspend_always{};
}
#elif defined(VECTOR_OF_FUTURES)
Coroutine<void> mistake() {
    auto futures = muster::map<&half>(std::vector<double>{1, 2});
    co_await futures;
}
#elif defined(METHOD_REFERENCE)
void mistake() {
    std::string question;
    muster::spawn<Model>({}).call<&Model::change>(question);
}
#elif defined(COROUTINE_ARGUMENT)
double take(Coroutine<double>) {
    return 0;
}

void mistake() {
    (void)muster::task<&take>(half(1));
}
#elif defined(DRIVER_RESULT)
void mistake() {
    muster::run(0, nullptr, []() -> Coroutine<std::string> { co_return "done"; });
}
#endif
