// An actor is an object that lives on some rank and is called from any. Its calls run one at a time
// and in the order in which each caller made them, so the class is written as if there were no
// cluster. A call returns a future at once; nobody waits before get().

#include <muster/core/muster.hpp>

#include <iostream>
#include <stdexcept>
#include <string>

class Account {
public:
    explicit Account(int balance) : balance_(balance) {}

    void deposit(int amount) { balance_ += amount; }

    void withdraw(int amount) {
        if (amount > balance_) {
            throw std::runtime_error("only " + std::to_string(balance_) + " left");
        }
        balance_ -= amount;
    }

    [[nodiscard]] int balance() const { return balance_; }

private:
    int balance_;
};

int salary(int month) {
    return 100 * month;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        auto account = muster::spawn<Account>({.placement = muster::spread}, 50);
        account.call<&Account::deposit>(
            muster::task<&salary>(2)); // waits for it, as all later ones
        account.call<&Account::withdraw>(30);
        const auto refused = account.call<&Account::withdraw>(1000);
        const auto balance = account.call<&Account::balance>();
        try {
            refused.get();
        } catch (const muster::TaskError& error) {
            std::cout << "refused: " << error.root_cause().message << '\n'; // the account lives on
        }
        std::cout << "balance: " << balance.get() << '\n';
    });
}
